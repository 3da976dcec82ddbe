//! The profile files with the lines that everything stands on.
//!
//! bsm-core's parser decides what a file means. This one only finds lines again, so it takes what it can
//! of a file that bsm-core refuses.

use std::path::{Path, PathBuf};

/// The largest profile file that is explained. bsm-core itself has no limit.
pub(crate) const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// One of the two profile files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Config,
    Credentials,
}

/// A profile file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) kind: FileKind,
    pub(crate) path: PathBuf,
    pub(crate) exists: bool,
    pub(crate) sections: Vec<Section>,
    /// What bsm-core cannot parse, and where.
    pub(crate) malformed: Vec<(usize, &'static str)>,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) line: usize,
    pub(crate) keys: Vec<Key>,
}

/// A key, in lower case, and its value. It has no `Debug`, because the value may be a secret.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.line)
    }
}

/// Reads a profile file. One that cannot be read has no sections; bsm-core says why.
pub(crate) fn read(kind: FileKind, path: &Path) -> SourceFile {
    let text = bsm_core::read_text(path, MAX_SIZE).unwrap_or_default();
    SourceFile {
        kind,
        path: path.to_owned(),
        exists: path.exists(),
        sections: sections(&text),
        malformed: bsm_core::profile_problems(&text),
    }
}

/// Finds the sections of a text.
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let (mut indent, mut has_key) = (0, false);
    // bsm-core accepts a byte order mark, as the other SDKs do.
    let text = text.trim_start_matches('\u{feff}');
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let own_indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if own_indent > indent && has_key {
            // It continues the value above it.
            continue;
        }
        indent = own_indent;
        has_key = false;
        if let Some(title) = title(content) {
            sections.push(Section {
                title: title.to_owned(),
                line: number,
                keys: Vec::new(),
            });
        } else if let Some((name, value)) = content.split_once(['=', ':'])
            && let Some(section) = sections.last_mut()
        {
            section.keys.push(Key {
                name: name.trim().to_ascii_lowercase(),
                value: value.trim().to_owned(),
                line: number,
            });
            has_key = true;
        }
    }
    sections
}

fn title(content: &str) -> Option<&str> {
    // Up to the last bracket of the line, as `configparser` does.
    let end = content.rfind(']')?;
    content.strip_prefix('[')?;
    content.get(1..end)
}

impl Section {
    /// Returns the name of the profile that this section is of, if it is of one.
    pub(crate) fn profile(&self, kind: FileKind) -> Option<&str> {
        match kind {
            FileKind::Credentials => Some(&self.title),
            FileKind::Config if self.title == "default" => Some("default"),
            FileKind::Config => self.named("profile"),
        }
    }

    /// Returns the name in the title of a section of a type: `[sso-session corp]`.
    pub(crate) fn named(&self, kind: &str) -> Option<&str> {
        let rest = self.title.strip_prefix(kind)?;
        let name = rest.trim_start();
        if name.len() == rest.len() || name.is_empty() {
            return None;
        }
        // botocore splits a title as a shell does, which removes quotes.
        Some(name.trim().trim_matches(['"', '\'']))
    }

    pub(crate) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_on_its_line() {
        let text = "\u{feff}# comment\r\n[profile \"del ta\"]\r\nREGION: x\nservices =\n  a = b\n\n\
                    [default]\nnonsense\nkey=v";
        let found = sections(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].profile(FileKind::Config), Some("del ta"));
        assert_eq!(format!("{:?}", found[0].keys), "[region:3, services:4]");
        assert_eq!(found[1].line, 7);
        assert_eq!(found[1].key("key").map(|key| key.line), Some(9));
        assert_eq!(found[1].named("profile"), None);
    }
}
