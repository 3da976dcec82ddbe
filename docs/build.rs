//! Generates a module for each page of the guide.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let source = root.join("src");
    let mut chapters = markdown_files(&source);
    chapters.push(root.join("../README.md"));

    let mut modules = String::new();
    for chapter in chapters {
        println!("cargo::rerun-if-changed={}", chapter.display());
        let name: String = chapter
            .strip_prefix(&source)
            .unwrap_or(Path::new("README.md"))
            .with_extension("")
            .to_string_lossy()
            .to_ascii_lowercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        writeln!(
            modules,
            "#[doc = include_str!({chapter:?})]\nmod chapter_{name} {{}}"
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
