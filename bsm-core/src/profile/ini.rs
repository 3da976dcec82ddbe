//! The parser of profile files, which reads them as botocore does.
//!
//! botocore uses Python's `configparser`, which takes more than aws-config's parser: `:` beside
//! `=`, indented files, a `[DEFAULT]` section, section names of any characters. Like it, this one
//! rejects a line without a delimiter, a key before the first section, and duplicates.
//!
//! In two cases it is more lenient than botocore, as the other SDKs are: for a byte order mark, and
//! for a comment behind a value (`region = eu-west-1  # home`), which botocore makes part of the
//! value.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

/// The settings of one section, by their keys in lower case.
pub(crate) type Section = BTreeMap<String, Value>;

/// The value of a key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// Indented settings below a key that has no value itself.
    Nested(BTreeMap<String, String>),
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nested(_) => None,
        }
    }
}

/// A line that cannot be parsed. It is not quoted, because it can contain a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    line: usize,
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl StdError for Malformed {}

/// Parses a file into its sections, in their order.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, Section)>, Malformed> {
    let text = text.trim_start_matches('\u{feff}');
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader::default();
    for (number, line) in text.split('\n').enumerate() {
        reader.read(number + 1, line)?;
    }
    reader.finish()
}

/// The section whose keys apply to every other section, as in `configparser`.
const FOR_ALL: &str = "DEFAULT";

#[derive(Default)]
struct Reader {
    sections: Vec<(String, Lines)>,
    /// The key whose value can continue in the next line.
    open_key: Option<String>,
    indent: usize,
}

/// The lines of each value, and the number of the first one.
type Lines = BTreeMap<String, (usize, Vec<String>)>;

impl Reader {
    fn read(&mut self, number: usize, line: &str) -> Result<(), Malformed> {
        let malformed = |what| Err(Malformed { line: number, what });
        let content = line.trim();
        if content.starts_with(['#', ';']) {
            return Ok(());
        }
        if content.is_empty() {
            if let Some(value) = self.open_value() {
                value.push(String::new());
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if indent > self.indent
            && let Some(value) = self.open_value()
        {
            value.push(content.to_owned());
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = section_name(content) {
            if self.sections.iter().any(|(known, _)| known == name) && name != FOR_ALL {
                return malformed("this section is there twice: merge the two");
            }
            self.open_key = None;
            if name == FOR_ALL && self.sections.iter().any(|(known, _)| known == name) {
                // Keys are added to the last section, so move the existing [DEFAULT] there.
                self.sections.sort_by_key(|(known, _)| known == FOR_ALL);
            } else {
                self.sections.push((name.to_owned(), Lines::new()));
            }
            return Ok(());
        }
        let Some((_, section)) = self.sections.last_mut() else {
            return malformed("a [section] has to come first");
        };
        let Some((key, value)) = content.split_once(['=', ':']) else {
            return malformed("write it as key = value");
        };
        let key = key.trim().to_lowercase();
        if key.is_empty() {
            return malformed("there is no key before the =");
        }
        if section.contains_key(&key) {
            return malformed("this key is there twice in its section: remove one");
        }
        let value = match key.as_str() {
            // A shell command can contain # and ; with a meaning of their own.
            "credential_process" => value.trim(),
            _ => without_comment(value.trim()),
        };
        section.insert(key.clone(), (number, vec![value.to_owned()]));
        self.open_key = Some(key);
        Ok(())
    }

    fn open_value(&mut self) -> Option<&mut Vec<String>> {
        let (_, section) = self.sections.last_mut()?;
        let (_, value) = section.get_mut(self.open_key.as_ref()?)?;
        Some(value)
    }

    fn finish(self) -> Result<Vec<(String, Section)>, Malformed> {
        let mut sections = Vec::new();
        let mut for_all = Section::new();
        for (name, lines) in self.sections {
            let section = lines
                .into_iter()
                .map(|(key, (number, lines))| Ok((key, value(number, &lines)?)))
                .collect::<Result<Section, Malformed>>()?;
            if name == FOR_ALL {
                for_all = section;
            } else {
                sections.push((name, section));
            }
        }
        for (_, section) in &mut sections {
            for (key, value) in &for_all {
                section.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(sections)
    }
}

/// Returns the name between the brackets, up to the last bracket of the line, as `configparser`
/// does.
fn section_name(content: &str) -> Option<&str> {
    let end = content.rfind(']')?;
    let name = content.get(1..end)?;
    (content.starts_with('[') && !name.is_empty()).then_some(name)
}

fn value(number: usize, lines: &[String]) -> Result<Value, Malformed> {
    let text = lines.join("\n");
    let text = text.trim_end();
    if !text.starts_with('\n') {
        return Ok(Value::Text(text.to_owned()));
    }
    let mut nested = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Malformed {
                line: number,
                what: "the indented lines below this key have to be key = value",
            });
        };
        let value = without_comment(value.trim());
        nested.insert(key.trim().to_owned(), value.to_owned());
    }
    Ok(Value::Nested(nested))
}

/// A comment begins at a `#` or `;` behind white space.
fn without_comment(value: &str) -> &str {
    let starts = [" #", " ;", "\t#", "\t;"];
    let comment = starts.iter().filter_map(|start| value.find(start)).min();
    comment.map_or(value, |at| value[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, section: &str, key: &str) -> Option<String> {
        let sections = parse(text).unwrap();
        let (_, section) = sections.iter().find(|(name, _)| name == section)?;
        section.get(key)?.text().map(str::to_owned)
    }

    #[test]
    fn a_file_is_read_as_configparser_reads_it() {
        let file = "\u{feff}# comment\r\n[profile \"del ta\"] ; more\r\nREGION: eu-west-1 # home\r\n\
                    credential_process = a; b # c\n\n  [default]\n  region=x\n  output = a\n   b\n\n   c\n";
        let delta = "profile \"del ta\"";
        assert_eq!(text(file, delta, "region").as_deref(), Some("eu-west-1"));
        let process = text(file, delta, "credential_process");
        // As in configparser, a line that is indented more continues the value above it.
        assert_eq!(
            process.as_deref(),
            Some("a; b # c\n\n[default]\nregion=x\noutput = a\nb\n\nc")
        );
    }

    #[test]
    fn an_indented_file_has_sections() {
        let file = "  [default]\n  region = x\n    y\n\n\n  output = json\n";
        assert_eq!(text(file, "default", "region").as_deref(), Some("x\ny"));
        assert_eq!(text(file, "default", "output").as_deref(), Some("json"));
    }

    #[test]
    fn settings_nest_below_an_empty_key() {
        let sections =
            parse("[services s]\nsts =\n  endpoint_url = http://x/=\n# c\n  a=b\n").unwrap();
        let Value::Nested(sts) = &sections[0].1["sts"] else {
            panic!("not nested")
        };
        assert_eq!(sts["endpoint_url"], "http://x/=");
        assert_eq!(sts["a"], "b");
    }

    #[test]
    fn the_default_section_of_configparser_holds_for_all() {
        let file = "[DEFAULT]\nregion = x\n[a]\n[b]\nregion = y\n[DEFAULT]\noutput = json\n";
        assert_eq!(text(file, "a", "region").as_deref(), Some("x"));
        assert_eq!(text(file, "b", "region").as_deref(), Some("y"));
        assert_eq!(text(file, "b", "output").as_deref(), Some("json"));
    }

    #[test]
    fn a_malformed_line_is_named_and_not_quoted() {
        for (file, line) in [
            ("region = x", 1),
            ("[a]\nAKIASECRET", 2),
            ("[a]\n= AKIASECRET", 2),
            ("[a]\nk = AKIASECRET\nK = AKIASECRET", 3),
            ("[a]\n[b]\n[a]", 3),
            ("[a]\ns3 =\n  AKIASECRET", 2),
            ("[]", 1),
        ] {
            let malformed = parse(file).err().unwrap();
            assert_eq!(malformed.line, line, "{file:?}");
            assert!(!malformed.to_string().contains("AKIASECRET"));
        }
    }
}
