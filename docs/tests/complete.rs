//! The guide leaves nothing out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the variants of an `ErrorKind`, as its source has them.
fn kinds(source: &str) -> BTreeSet<String> {
    let source = read(source);
    let (_, body) = source
        .split_once("pub enum ErrorKind {")
        .expect("there is an ErrorKind");
    let (body, _) = body.split_once("\n}").expect("it ends");
    body.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .filter_map(|line| line.strip_suffix(','))
        .map(str::to_owned)
        .collect()
}

/// The kinds that the chapter explains: the headings below the section of a crate.
fn explained(section: &str) -> BTreeSet<String> {
    let chapter = read("src/troubleshooting.md");
    let (_, rest) = chapter
        .split_once(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("there is a section {section}"));
    let section = rest.split("\n## ").next().unwrap_or(rest);
    section
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_kind_of_error_is_explained() {
    for (section, source) in [
        ("Errors of bsm-core", "../bsm-core/src/error.rs"),
        ("Errors of bsm-dynamodb", "../bsm-dynamodb/src/error.rs"),
    ] {
        let kinds = kinds(source);
        assert!(kinds.contains("AccessDenied"), "{source}: {kinds:?}");
        assert_eq!(explained(section), kinds, "{section}");
    }
}

#[test]
fn every_chapter_is_in_the_summary() {
    let summary = read("src/SUMMARY.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let pages: Vec<PathBuf> = fs::read_dir(source)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    for page in pages {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in SUMMARY.md"
        );
    }
}
