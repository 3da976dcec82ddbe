//! Generates a module for each page of the guide.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The pages that are shown beside the sources, and on the registry.
const READMES: [&str; 4] = [
    "README.md",
    "bsm-core/README.md",
    "bsm-dynamodb/README.md",
    "tests/local-aws/README.md",
];

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let source = root.join("src");
    let pages = markdown_files(&source).into_iter().map(|path| {
        let name = path.strip_prefix(&source).expect("it was found there");
        (name.to_owned(), path)
    });
    let readmes = READMES.map(|name| (PathBuf::from(name), root.join("..").join(name)));

    let mut modules = String::new();
    for (name, path) in pages.chain(readmes) {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = name
            .with_extension("")
            .to_string_lossy()
            .to_ascii_lowercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        writeln!(
            modules,
            "#[doc = include_str!({path:?})]\nmod chapter_{name} {{}}"
        )
        .expect("a string can be written to");
    }
    println!("cargo::rerun-if-changed={}", source.display());

    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("chapters.rs"), modules).expect("OUT_DIR can be written to");
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the guide can be read") {
        let path = entry.expect("the guide can be read").path();
        if path.is_dir() {
            found.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}
