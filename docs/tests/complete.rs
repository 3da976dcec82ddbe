//! The guide is complete, and quotes what the crates say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the variants of an `ErrorKind`, from its source.
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

/// The section of the troubleshooting page about one crate.
fn troubleshooting(section: &str) -> String {
    let page = read("src/troubleshooting.md");
    let (_, rest) = page
        .split_once(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("there is a section {section}"));
    rest.split("\n## ").next().unwrap_or(rest).to_owned()
}

/// The kinds that the page explains: the headings below the section of a crate.
fn explained(section: &str) -> BTreeSet<String> {
    troubleshooting(section)
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_owned)
        .collect()
}

const SECTIONS: [(&str, &str); 2] = [
    ("bsm-core errors", "../bsm-core/src"),
    ("bsm-dynamodb errors", "../bsm-dynamodb/src"),
];

#[test]
fn every_kind_of_error_is_explained() {
    for (section, source) in SECTIONS {
        let kinds = kinds(&format!("{source}/error.rs"));
        assert!(kinds.contains("AccessDenied"), "{source}: {kinds:?}");
        assert_eq!(explained(section), kinds, "{section}");
    }
}

/// All Rust sources of a crate as one text, in which a string that is continued on the next line
/// is in one piece.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a source folder can be read").path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source file is text");
            for line in source.lines() {
                match line.trim_start().strip_suffix('\\') {
                    Some(continued) => text.push_str(continued),
                    None => {
                        text.push_str(line.trim_start());
                        text.push('\n');
                    }
                }
            }
        }
    }
    text
}

/// A reader searches the page for the words of a message, so they have to be the crate's own.
#[test]
fn every_message_on_the_page_is_in_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (section, source) in SECTIONS {
        let sources = sources(&root.join(source));
        let page = troubleshooting(section);
        let (_, page) = page.split_once("\n### ").expect("there is a kind");
        let messages = page.split("```text\n").skip(1).flat_map(|block| {
            let (block, _) = block.split_once("\n```").expect("a block of messages ends");
            block.lines()
        });
        let mut checked = 0;
        for message in messages {
            // AWS's own sentences are not in our sources. "could not" is added to the name of a
            // request.
            let (ours, _) = message.split_once("AWS answered").unwrap_or((message, ""));
            for part in ours.split('…') {
                let part = part.trim_matches([' ', ':', ';', ',', '(', ')', '`']);
                let part = part.strip_prefix("could not ").unwrap_or(part);
                assert!(
                    part.is_empty() || sources.contains(part),
                    "{section}: no message in {source} says {part:?}"
                );
                checked += 1;
            }
        }
        assert!(checked > 40, "{section}: {checked}");
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

/// An event: message, level and fields.
type Event = (String, String, BTreeSet<String>);

/// The events of the page Logging, by its tables: message, level, fields.
fn documented_events() -> BTreeSet<Event> {
    let page = read("src/logging.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [message, level, fields, ..] = cells[..] else {
            panic!("a row has three cells: {row}")
        };
        let fields = fields.split(", ").map(|field| field.trim_matches('`'));
        let fields = fields.filter(|field| !field.is_empty());
        (
            message.trim_matches('`').to_owned(),
            level.to_owned(),
            fields.map(str::to_owned).collect(),
        )
    })
    .collect()
}

/// The events in a source: what stands in the parentheses of `tracing::debug!(..)` and its like.
fn events(source: &str) -> Vec<Event> {
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
    let calls = source.split("tracing::").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("!(")?;
        let level = name.strip_suffix("_span").unwrap_or(name).to_uppercase();
        levels.contains(&level.as_str()).then_some((level, rest))
    });
    calls
        .map(|(level, rest)| {
            let arguments = arguments(rest);
            let is_text = |argument: &&String| argument.starts_with('"');
            let message = arguments.iter().find(is_text).expect("a message");
            let fields = arguments.iter().filter(|argument| !is_text(argument));
            let fields = fields.map(|field| {
                let (name, _) = field.split_once('=').unwrap_or((field, ""));
                name.trim().trim_start_matches(['%', '?']).to_owned()
            });
            let message = message.trim_matches('"').replace("\\\"", "\"");
            (message, level, fields.collect())
        })
        .collect()
}

/// The arguments of a call, up to the parenthesis that closes it.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' | '<' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().expect("there is one").push(c);
    }
    let arguments = arguments.iter().map(|argument| argument.trim().to_owned());
    arguments.filter(|argument| !argument.is_empty()).collect()
}

#[test]
fn every_event_is_documented_with_its_level_and_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = documented_events();
    let emitted: BTreeSet<_> = SECTIONS
        .iter()
        .flat_map(|(_, source)| events(&sources(&root.join(source))))
        .collect();
    assert!(emitted.len() > 30, "{emitted:#?}");
    let missing: Vec<_> = emitted.difference(&documented).collect();
    assert!(missing.is_empty(), "not on the page: {missing:#?}");
    let gone: Vec<_> = documented.difference(&emitted).collect();
    assert!(gone.is_empty(), "nobody emits these: {gone:#?}");
}
