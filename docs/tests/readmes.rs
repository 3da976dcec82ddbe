//! The READMEs can be pasted: their snippets compile with their own Cargo.toml lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const READMES: [&str; 4] = [
    "README.md",
    "bsm-core/README.md",
    "bsm-dynamodb/README.md",
    "tests/local-aws/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The blocks of a language, such as `rust` for `rust` and `rust,no_run`.
fn blocks<'t>(page: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}");
    page.split(&fence)
        .skip(1)
        .filter_map(|rest| {
            let (line, rest) = rest.split_once('\n')?;
            let (block, _) = rest.split_once("\n```")?;
            (line.is_empty() || line.starts_with(',')).then_some(block)
        })
        .collect()
}

fn page(readme: &str) -> String {
    let path = root().join(readme);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the crates that the lines of a Cargo.toml add, as they are written in Rust.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines().filter(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once('='));
    names
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// The names of the crates that a snippet uses: the first part of every path, unless it is imported.
fn used_crates(snippet: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    // Without its strings, which contain ARNs.
    let snippet: String = snippet.split('"').step_by(2).collect();
    let imports = snippet.split("use ").skip(1).filter_map(|rest| {
        let (import, _) = rest.split_once(';')?;
        import.split_once("::")
    });
    let imported: BTreeSet<_> = imports
        .flat_map(|(_, names)| names.split(|c| !is_name(c)))
        .collect();
    snippet
        .match_indices("::")
        .filter_map(|(end, _)| {
            let before = &snippet[..end];
            let start = before.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
            let is_first = !before[..start].ends_with("::");
            let name = &before[start..];
            (is_first && name.starts_with(char::is_lowercase)).then(|| name.to_owned())
        })
        .filter(|name| name != "std" && !imported.contains(name.as_str()))
        .collect()
}

#[test]
fn every_crate_of_a_snippet_is_in_the_lines_for_cargo_toml() {
    for readme in READMES {
        let page = page(readme);
        let manifests = blocks(&page, "toml");
        let snippets = blocks(&page, "rust");
        assert!(!snippets.is_empty(), "{readme} has no snippet");
        let listed = dependencies(manifests.first().expect("there are lines for Cargo.toml"));
        for snippet in snippets {
            let used = used_crates(snippet);
            let missing: Vec<_> = used.difference(&listed).collect();
            assert!(missing.is_empty(), "{readme}: {missing:?} in\n{snippet}");
        }
    }
}

/// What a reader does: an empty crate, the lines of the README, and a snippet.
#[test]
#[ignore = "compiles the SDK once more, with the features of the READMEs; `.ci/run readmes` runs it"]
fn every_snippet_compiles_in_an_empty_crate() {
    let root = root().canonicalize().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readmes");
    for (number, readme) in READMES.into_iter().enumerate() {
        let page = page(readme);
        let lines = blocks(&page, "toml")[0];
        let folder = tempfile::tempdir().unwrap();
        let sources = folder.path().join("src/bin");
        fs::create_dir_all(&sources).unwrap();
        // The path of a clone beside the reader's crate, and the versions of this workspace.
        let lines = lines.replace("\"../bsm/", &format!("\"{}/", root.display()));
        let lines = lines.replace("[dev-dependencies]", "[dependencies]");
        let package = "[package]\nname = \"pasted\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
        let manifest = format!("{package}\n[workspace]\n\n{lines}\n");
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
        for (index, snippet) in blocks(&page, "rust").into_iter().enumerate() {
            // A snippet without `main` is a part of a reader's program.
            let main = match snippet.contains("fn main()") {
                true => "",
                false => "\nfn main() {}\n",
            };
            let source = format!("#![allow(dead_code)]\n{snippet}\n{main}");
            fs::write(sources.join(format!("pasted_{number}_{index}.rs")), source).unwrap();
        }
        let status = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--offline", "--bins"])
            .env("CARGO_TARGET_DIR", &target)
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(status.success(), "{readme}");
    }
}

#[test]
fn a_readme_names_the_features_of_its_crate() {
    for library in [
        "bsm-core",
        "bsm-core/cli",
        "bsm-dynamodb",
        "tests/local-aws",
    ] {
        let manifest = page(&format!("{library}/Cargo.toml"));
        let readme = page(&format!("{library}/README.md"));
        let (_, features) = manifest.split_once("[features]").unwrap();
        let (features, _) = features.split_once("\n[").unwrap();
        let names = features.lines().filter_map(|line| line.split_once(" = "));
        let names: Vec<_> = names
            .map(|(name, _)| name)
            .filter(|name| *name != "default")
            .collect();
        assert!(!names.is_empty(), "{library}");
        for name in names {
            assert!(readme.contains(&format!("| `{name}`")), "{library}: {name}");
        }
    }
}

#[test]
fn the_map_of_the_code_names_every_module() {
    let map = page("ARCHITECTURE.md");
    for library in ["bsm-core", "bsm-dynamodb"] {
        let source = page(&format!("{library}/src/lib.rs"));
        let modules = source.lines().filter_map(|line| {
            let module = line.strip_prefix("mod ")?;
            module.strip_suffix(';')
        });
        // What every crate has, and the parts that only macros and the compiler use.
        let modules = modules.filter(|name| !["error", "private", "fuzz"].contains(name));
        for module in modules {
            let name = format!("`{module}`");
            assert!(map.contains(&name), "{library}: {name} is not on the map");
        }
    }
}
