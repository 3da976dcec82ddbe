//! The guide is complete, and quotes what the crates say.

use std::collections::{BTreeMap, BTreeSet};
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
        let sources = sources(&root.join(source)).replace("\\\"", "\"");
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

/// The lines of the page about one crate, each with the kind that it stands under.
fn lines_by_kind(section: &str) -> Vec<(String, String)> {
    let page = troubleshooting(section);
    let kinds = page.split("\n### ").skip(1);
    let lines = kinds.flat_map(|kind| {
        let (kind, body) = kind.split_once('\n').expect("a kind has a text");
        let blocks = body.split("```text\n").skip(1);
        let lines = blocks.flat_map(|block| block.split("\n```").next().unwrap_or(block).lines());
        lines.map(|line| (kind.to_owned(), line.to_owned()))
    });
    lines.collect()
}

/// An error in the sources: its kind, if that stands beside the message, and the words of its fact.
#[derive(Debug)]
struct Message {
    kind: Option<String>,
    words: Vec<String>,
}

impl Message {
    /// Returns `true` if a line of the page has all the words.
    fn is_on(&self, line: &str) -> bool {
        self.words.iter().all(|words| line.contains(words))
    }
}

/// The errors that bsm-core creates. One whose message is put together elsewhere is not among them.
fn messages_of_bsm_core() -> Vec<Message> {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../bsm-core/src"));
    let calls = sources.match_indices("Error::new(").filter(|(at, _)| {
        let before = &sources[..*at];
        // Those of the standard library, those of tests, and those in documentation.
        !before.ends_with(|c: char| c.is_alphanumeric() || c == ':')
            && !before
                .lines()
                .next_back()
                .unwrap_or_default()
                .starts_with("//")
    });
    let messages = calls.filter_map(|(at, call)| {
        let arguments = arguments(&sources[at + call.len()..]);
        let [kind, message] = &arguments[..] else {
            return None;
        };
        let message = match text_in(message) {
            Some(text) => text,
            // A variable of the function, or one of its parameters, whose text is elsewhere.
            None => {
                let (_, value) = sources[..at].rsplit_once(&format!("let {message} = "))?;
                text_in(value).filter(|_| !value.contains("fn "))?
            }
        };
        let (fact, _) = message.split_once(": ").unwrap_or((&message, ""));
        let words = fact.split('{').enumerate().map(|(at, part)| match at {
            0 => part,
            _ => part.split_once('}').map_or(part, |(_, rest)| rest),
        });
        let words = words.map(|words| words.trim_matches([' ', ':', ';', ',']).to_owned());
        Some(Message {
            kind: kind.strip_prefix("ErrorKind::").map(str::to_owned),
            words: words.filter(|words| words.len() > 3).collect(),
        })
    });
    messages
        .filter(|message| message.words.iter().any(|words| words.len() > 9))
        .collect()
}

/// The first string literal of an expression, which has to be at its start.
fn text_in(expression: &str) -> Option<String> {
    let start = expression.find('"')?;
    let is_start = expression[..start]
        .chars()
        .all(|c| c.is_alphanumeric() || c.is_whitespace() || "&!(_".contains(c));
    let text = is_start.then(|| &expression[start + 1..])?;
    let mut escaped = false;
    let end = text.find(|c| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    Some(text[..end?].replace("\\\"", "\""))
}

/// Errors that are causes or log entries and never returned themselves.
const CAUSES: [&str; 1] = ["the file cannot be written"];

#[test]
fn every_message_of_bsm_core_is_on_the_page_under_its_kind() {
    let lines = lines_by_kind("bsm-core errors");
    let messages = messages_of_bsm_core();
    assert!(messages.len() > 80, "{}", messages.len());
    for message in &messages {
        if CAUSES.contains(&message.words[0].as_str()) {
            continue;
        }
        let mut on_page = lines.iter().filter(|(_, line)| message.is_on(line));
        assert!(
            on_page.any(|(kind, _)| message.kind.as_ref().is_none_or(|own| own == kind)),
            "not under its kind: {message:?}"
        );
    }
    let mut checked = 0;
    for (kind, line) in &lines {
        let candidates = messages.iter().filter(|message| message.is_on(line));
        let length = |message: &&Message| message.words.iter().map(String::len).sum::<usize>();
        // The one that has most of the line. Short words, such as "profile", are in many lines.
        let Some(message) = candidates.max_by_key(length) else {
            continue;
        };
        let is_telling = message.words.iter().all(|words| words.len() > 9);
        if let Some(own) = message.kind.as_ref().filter(|_| is_telling) {
            assert_eq!(own, kind, "{line:?} stands under another kind");
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}

/// The codes of a function that sorts them, with the kinds, from its source.
fn sorted_codes(source: &str, function: &str) -> BTreeMap<String, String> {
    let source = read(source);
    let (_, body) = source.split_once(function).expect("there is the function");
    let (body, _) = body.split_once("_ =>").expect("there are other codes");
    let mut codes = BTreeMap::new();
    let mut of_arm = Vec::new();
    for line in body.lines().map(str::trim) {
        let (patterns, kind) = line.split_once("=>").unwrap_or((line, ""));
        if line.starts_with("//") || !patterns.contains('"') && kind.is_empty() {
            // The kind of an arm that did not fit into one line.
            if let Some(kind) = line.strip_prefix("Self::") {
                codes.extend(of_arm.drain(..).map(|code| (code, kind.to_owned())));
            }
            continue;
        }
        of_arm.extend(patterns.split('"').skip(1).step_by(2).map(str::to_owned));
        if let Some((_, kind)) = kind.split_once("::") {
            let kind = kind.trim_end_matches(',').to_owned();
            codes.extend(of_arm.drain(..).map(|code| (code, kind.clone())));
        }
    }
    assert!(of_arm.is_empty(), "{of_arm:?}");
    codes
}

#[test]
fn every_error_code_is_in_the_table_with_its_kinds() {
    let core = sorted_codes("../bsm-core/src/transport.rs", "fn kind_of_code(");
    let mut dynamodb = sorted_codes("../bsm-dynamodb/src/error.rs", "fn from_aws_code(");
    // bsm-dynamodb sorts the codes that it has no kind of its own for as bsm-core does.
    dynamodb.extend(core.clone());
    assert!(core.len() > 10 && dynamodb.len() > core.len() + 10);

    let page = read("src/troubleshooting.md");
    let (_, table) = page
        .split_once("\n## Error codes of AWS\n")
        .expect("the table");
    let (table, _) = table.split_once("\n## ").expect("the table ends");
    let mut documented = [BTreeMap::new(), BTreeMap::new()];
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let codes = cells[0].split(", ").map(|code| code.trim_matches('`'));
        for code in codes {
            for (documented, cell) in documented.iter_mut().zip(&cells[1..]) {
                if let Some((kind, _)) = cell.trim_start_matches('[').split_once(']') {
                    documented.insert(code.to_owned(), kind.to_owned());
                }
            }
        }
    }
    assert_eq!(documented, [core, dynamodb]);
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
