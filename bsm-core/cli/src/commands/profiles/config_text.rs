//! The text of a config file, in which single sections are added, changed and removed, and every other byte
//! stays as it is.

use std::ops::Range;

use crate::source_file::{FileKind, Key, Section, sections};

/// The text of a config file.
pub(super) struct ConfigText {
    /// The lines with their ends.
    lines: Vec<String>,
    sections: Vec<Section>,
    line_end: &'static str,
}

/// A change of a text. Lines count from 0.
struct Edit {
    lines: Range<usize>,
    replacement: String,
}

/// Pending changes to a text.
#[derive(Default)]
pub(super) struct Edits {
    edits: Vec<Edit>,
    added: String,
}

impl ConfigText {
    pub(super) fn new(text: &str) -> Self {
        // Added and changed lines of a file with mixed ends get those of DOS; all others keep their
        // own.
        let is_dos = text.contains("\r\n");
        Self {
            lines: text.split_inclusive('\n').map(str::to_owned).collect(),
            sections: sections(text),
            line_end: if is_dos { "\r\n" } else { "\n" },
        }
    }

    /// Returns the sections of profiles, with their names.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (&str, &Section)> {
        let named = |section| Some((Section::profile(section, FileKind::Config)?, section));
        self.sections.iter().filter_map(named)
    }

    /// Adds a section at the end.
    pub(super) fn add(&self, edits: &mut Edits, title: &str, keys: &[(&str, &str)]) {
        let end = self.line_end;
        let is_first = self.lines.is_empty() && edits.added.is_empty();
        let blank = if is_first { "" } else { end };
        let keys = keys.iter();
        let keys: String = keys
            .map(|(name, value)| format!("{name} = {value}{end}"))
            .collect();
        edits
            .added
            .push_str(&format!("{blank}[{title}]{end}{keys}"));
    }

    /// Sets a key of a section, unless it has that value. Returns `true` if it had another one.
    ///
    /// The line keeps its indent and its comment: a line that is indented further than the one above it would
    /// continue that one's value.
    pub(super) fn set(
        &self,
        edits: &mut Edits,
        section: &Section,
        name: &str,
        value: &str,
    ) -> bool {
        let key = section.key(name);
        if key.is_some_and(|key| plain_value(key) == value) {
            return false;
        }
        let like = key.or(section.keys.first());
        let indent = like.map_or("", |key| self.indent(key.line));
        let comment = key.map_or("", |key| &key.value[plain_value(key).len()..]);
        let lines = match key {
            Some(key) => key.line - 1..key.line,
            // Below the title.
            None => section.line..section.line,
        };
        edits.edits.push(Edit {
            lines,
            replacement: format!("{indent}{name} = {value}{comment}{}", self.line_end),
        });
        true
    }

    /// Returns the blanks at the beginning of a line, which is counted from 1.
    fn indent(&self, line: usize) -> &str {
        let text = &self.lines[line - 1];
        &text[..text.len() - text.trim_start().len()]
    }

    /// Removes a section, and the blank line above it.
    ///
    /// Comments below its last key stay: they may belong to the next section.
    pub(super) fn remove(&self, edits: &mut Edits, section: &Section) {
        let first = section.line - 1;
        let next = self.sections.iter().map(|other| other.line - 1);
        let next = next.filter(|line| *line > first).min();
        let next = next.unwrap_or(self.lines.len());
        let is_content = |line: &&usize| {
            let text = self.lines[**line].trim();
            !text.is_empty() && !text.starts_with(['#', ';'])
        };
        let lines: Vec<_> = (first..next).collect();
        let last = lines.iter().rev().find(is_content).copied();
        let is_blank = |line: usize| self.lines[line].trim().is_empty();
        let start = match first.checked_sub(1) {
            Some(above) if is_blank(above) => above,
            _ => first,
        };
        edits.edits.push(Edit {
            lines: start..last.unwrap_or(first) + 1,
            replacement: String::new(),
        });
    }

    /// Returns the text with the changes.
    pub(super) fn with(&self, mut edits: Edits) -> String {
        // The sort is stable: keys that are added below one title stay in the order of `set`.
        edits.edits.sort_by_key(|edit| edit.lines.start);
        let mut text = String::new();
        let mut line = 0;
        for edit in &edits.edits {
            // A key that is added below the title starts at the same line as a changed first key.
            let upto = edit.lines.start.max(line);
            text.push_str(&self.lines[line..upto].concat());
            end_line(&mut text, self.line_end);
            text.push_str(&edit.replacement);
            line = edit.lines.end.max(line);
        }
        text.push_str(&self.lines[line..].concat());
        if !edits.added.is_empty() {
            end_line(&mut text, self.line_end);
            text.push_str(&edits.added);
        }
        text
    }
}

/// Returns the value of a key without a comment behind it.
pub(super) fn plain_value(key: &Key) -> &str {
    // As bsm-core's parser does. botocore makes such a comment a part of the value.
    let comments = [" #", " ;", "\t#", "\t;"];
    let end = comments
        .iter()
        .filter_map(|comment| key.value.find(comment))
        .min();
    key.value[..end.unwrap_or(key.value.len())].trim_end()
}

/// Ends the last line, if it has no end.
fn end_line(text: &mut String, line_end: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edit: impl FnOnce(&ConfigText, &mut Edits)) -> String {
        let text = ConfigText::new(text);
        let mut edits = Edits::default();
        edit(&text, &mut edits);
        text.with(edits)
    }

    fn section<'a>(text: &'a ConfigText, name: &str) -> &'a Section {
        let found = text.profiles().find(|(profile, _)| *profile == name);
        found.unwrap().1
    }

    #[test]
    fn a_section_is_added_at_the_end() {
        let cases = [
            ("", "[profile a]\nk = v\n"),
            ("[default]", "[default]\n\n[profile a]\nk = v\n"),
            (
                "[default]\r\nx=1\r\n",
                "[default]\r\nx=1\r\n\r\n[profile a]\r\nk = v\r\n",
            ),
            (
                "# only a comment\n",
                "# only a comment\n\n[profile a]\nk = v\n",
            ),
        ];
        for (before, after) in cases {
            let added = edited(before, |text, edits| {
                text.add(edits, "profile a", &[("k", "v")]);
            });
            assert_eq!(added, after);
        }
    }

    #[test]
    fn a_key_is_set_on_its_line_or_below_the_title() {
        let text = "# top\n[profile a]\n# mine\nRegion=x ; y\nother = 1\n[default]\nregion = z\n";
        let changed = edited(text, |text, edits| {
            let a = section(text, "a");
            assert!(text.set(edits, a, "region", "r"));
            assert!(text.set(edits, a, "new", "n"));
            assert!(!text.set(edits, a, "other", "1"));
        });
        let expected = "# top\n[profile a]\nnew = n\n# mine\nregion = r ; y\nother = 1\n[default]\nregion = z\n";
        assert_eq!(changed, expected);
        let text = "[profile a]\n  one = 1 # stays\n  two = 2\n";
        let changed = edited(text, |text, edits| {
            let a = section(text, "a");
            assert!(!text.set(edits, a, "one", "1"));
            assert!(text.set(edits, a, "two", "3"));
            assert!(text.set(edits, a, "new", "n"));
        });
        assert_eq!(
            changed,
            "[profile a]\n  new = n\n  one = 1 # stays\n  two = 3\n"
        );
    }

    #[test]
    fn a_section_is_removed_and_the_comments_around_it_stay() {
        let cases = [
            (
                "[default]\n\n[profile a]\nk=v\n\n# of b\n[profile b]\n",
                "[default]\n\n# of b\n[profile b]\n",
            ),
            ("[profile a]\nk=v\n  more\n[profile b]\n", "[profile b]\n"),
            (
                "# of a\n[profile a]\n[profile b]\n",
                "# of a\n[profile b]\n",
            ),
            ("[profile b]\n\n[profile a]\nk=v", "[profile b]\n"),
        ];
        for (before, after) in cases {
            let removed = edited(before, |text, edits| text.remove(edits, section(text, "a")));
            assert_eq!(removed, after, "{before:?}");
        }
    }
}
