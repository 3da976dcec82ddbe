//! The parser of profile files, which reads them as botocore does.
//!
//! botocore uses Python's `configparser`, which takes more than aws-config's parser: `:` beside
//! `=`, indented files, a `[DEFAULT]` section, section names of any characters. Like it, this one
//! rejects a line without a delimiter, a key before the first section, and duplicates.
//!
//! In two cases it is more lenient than botocore, as the other SDKs are: for a byte order mark, and
//! for a comment behind a value (`region = eu-west-1  # home`), which botocore makes part of the
//! value.
//!
//! It takes time in proportion to the file, and copies no key: of an access key it notes only that
//! there is one, and [`Section::key`] reads it from the text again. So what is parsed can be cached,
//! and holds no secret.

use std::collections::{BTreeMap, HashSet};
use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The settings that are credentials.
const KEYS: [&str; 4] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
];

/// A section of a file.
pub(crate) struct NamedSection {
    /// What stands between the brackets.
    pub(super) title: String,
    pub(super) section: Section,
}

/// The settings of one section, by their keys in lower case.
#[derive(Clone, Default)]
pub(crate) struct Section {
    own: Settings,
    /// Those of `[DEFAULT]`, which all sections of a file share.
    for_all: Arc<Settings>,
}

#[derive(Clone, Default)]
struct Settings {
    values: BTreeMap<String, Value>,
    /// Where they are in the text, heading and all.
    places: Vec<Range<usize>>,
}

/// The value of a setting.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// Indented settings below a key that has no value itself.
    Nested(BTreeMap<String, String>),
    /// An access key or a session token, which is in the file and not here.
    Withheld,
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nested(_) | Self::Withheld => None,
        }
    }
}

impl Section {
    /// Returns a setting. Of a key there is only [`Value::Withheld`].
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let own = self.own.values.get(name);
        own.or_else(|| self.for_all.values.get(name))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let own = &self.own.values;
        let inherited = self.for_all.values.keys();
        own.keys()
            .chain(inherited.filter(|name| !own.contains_key(*name)))
    }

    /// Reads a key from the text that this section was parsed from.
    pub(crate) fn key(&self, text: &str, name: &str) -> Option<Zeroizing<String>> {
        let mut settings = [&self.own, &*self.for_all].into_iter();
        let settings = settings.find(|settings| settings.values.contains_key(name))?;
        let mut places = settings.places.iter();
        places.find_map(|place| key_in(text.get(place.clone())?, name))
    }
}

/// A line that cannot be parsed. It is not quoted, because it can contain a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl StdError for Malformed {}

/// Parses a file into its sections, in their order.
pub(crate) fn parse(text: &str) -> Result<Vec<NamedSection>, Malformed> {
    Reader::read_all(text)?.finish()
}

/// Returns what is malformed: each line as if those before it were repaired.
pub(super) fn problems(text: &str) -> Vec<Malformed> {
    // Each one takes another pass over the file.
    const MOST: usize = 50;

    let mut found: Vec<Malformed> = Vec::new();
    let mut text = Zeroizing::new(text.to_owned());
    while found.len() < MOST
        && let Err(malformed) = parse(&text)
    {
        text = without(&text, malformed.line);
        found.push(malformed);
    }
    // Nested settings are checked when all lines have been read.
    found.sort_by_key(|malformed| malformed.line);
    found
}

/// Blanks a line and what belongs to it: the section below a heading, or the lines that continue a value.
fn without(text: &str, line: usize) -> Zeroizing<String> {
    let mut blanked: Option<(bool, usize)> = None;
    let mut kept = Zeroizing::new(String::with_capacity(text.len() + 1));
    for (number, (_, content)) in (1..).zip(lines(text.trim_start_matches('\u{feff}'))) {
        let is_heading = title(content.trim()).is_some();
        let indent = content.chars().take_while(|c| c.is_whitespace()).count();
        blanked = match blanked {
            _ if number == line => Some((is_heading, indent)),
            Some((true, _)) if !is_heading => blanked,
            Some((false, above)) if indent > above => blanked,
            _ => None,
        };
        if blanked.is_none() {
            kept.push_str(content);
        }
        kept.push('\n');
    }
    kept
}

/// Reads a key from the text of one section.
fn key_in(text: &str, name: &str) -> Option<Zeroizing<String>> {
    let reader = Reader::read_all(text).ok()?;
    let mut sections = reader.sections.iter().chain([&reader.for_all]);
    let (_, lines) = sections.find_map(|section| section.lines.get(name))?;
    let mut value = Zeroizing::new(lines.join("\n"));
    let length = value.trim_end().len();
    value.truncate(length);
    Some(value)
}

/// The lines of a text with the places where they begin. They end as in Python's universal newlines.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split('\n').flat_map(move |line| {
        let mut begin = at;
        at += line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r').map(move |line| {
            let this = begin;
            begin += line.len() + 1;
            (this, line)
        })
    })
}

/// The section whose keys apply to every other section, as in `configparser`.
const FOR_ALL: &str = "DEFAULT";

/// What has been read so far. It borrows from the text, so that secrets are not copied.
#[derive(Default)]
struct Reader<'a> {
    sections: Vec<Lines<'a>>,
    // A search of all sections for each heading would take quadratic time.
    titles: HashSet<&'a str>,
    for_all: Lines<'a>,
    /// The section that lines belong to, after the first heading.
    current: Option<Current>,
    /// The key whose value can continue in the next line.
    open_key: Option<String>,
    indent: usize,
}

#[derive(Clone, Copy)]
enum Current {
    Last,
    ForAll,
}

/// The lines of a section: those of each value, and the number of the first one.
#[derive(Default)]
struct Lines<'a> {
    title: &'a str,
    lines: BTreeMap<String, (usize, Vec<&'a str>)>,
    places: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    fn read_all(text: &'a str) -> Result<Self, Malformed> {
        let mut reader = Self::default();
        let without_mark = text.trim_start_matches('\u{feff}');
        let mark = text.len() - without_mark.len();
        for (number, (at, line)) in (1..).zip(lines(without_mark)) {
            // Relative to the whole text, mark included, because `key` slices that text.
            reader.read(number, mark + at, line)?;
        }
        reader.close(text.len());
        Ok(reader)
    }

    fn read(&mut self, number: usize, at: usize, line: &'a str) -> Result<(), Malformed> {
        let malformed = |what| Err(Malformed { line: number, what });
        let content = line.trim();
        if content.starts_with(['#', ';']) {
            return Ok(());
        }
        if content.is_empty() {
            if let Some(value) = self.open_value() {
                // A value can contain blank lines. `value` and `key_in` trim those at its end.
                value.push("");
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if indent > self.indent
            && let Some(value) = self.open_value()
        {
            value.push(content);
            return Ok(());
        }
        // Not for continuation lines: `configparser` compares them with the line of the key.
        self.indent = indent;
        if let Some(title) = title(content) {
            return match self.open(title, at) {
                true => Ok(()),
                false => malformed("this section occurs twice: merge the two"),
            };
        }
        let Some(section) = self.current() else {
            return malformed("there is no section above this line: write a [section] first");
        };
        // The delimiter that comes first, so a value can contain both.
        let Some((key, value)) = content.split_once(['=', ':']) else {
            return malformed("write it as key = value");
        };
        let key = key.trim().to_lowercase();
        if key.is_empty() {
            return malformed("there is no key before the =: write key = value");
        }
        if section.lines.contains_key(&key) {
            return malformed("this key occurs twice in its section: remove one");
        }
        let value = match key.as_str() {
            // A shell command can contain # and ; with a meaning of their own.
            "credential_process" => value.trim(),
            _ => without_comment(value.trim()),
        };
        section.lines.insert(key.clone(), (number, vec![value]));
        self.open_key = Some(key);
        Ok(())
    }

    /// Begins a section; returns `false` if there is one with this title.
    fn open(&mut self, title: &'a str, at: usize) -> bool {
        self.close(at);
        self.open_key = None;
        if title == FOR_ALL {
            self.current = Some(Current::ForAll);
            self.for_all.places.push(at..at);
            return true;
        }
        self.current = Some(Current::Last);
        let mut section = Lines {
            title,
            ..Lines::default()
        };
        section.places.push(at..at);
        self.sections.push(section);
        self.titles.insert(title)
    }

    /// Ends the current section, if there is one.
    fn close(&mut self, at: usize) {
        if let Some(place) = self.current().and_then(|lines| lines.places.last_mut()) {
            place.end = at;
        }
    }

    fn current(&mut self) -> Option<&mut Lines<'a>> {
        match self.current? {
            Current::Last => self.sections.last_mut(),
            Current::ForAll => Some(&mut self.for_all),
        }
    }

    fn open_value(&mut self) -> Option<&mut Vec<&'a str>> {
        // Taken and put back, because the key must not borrow from `self` while its section does.
        let key = self.open_key.take()?;
        let section = match self.current? {
            Current::Last => self.sections.last_mut()?,
            Current::ForAll => &mut self.for_all,
        };
        let (_, value) = section.lines.get_mut(&key)?;
        self.open_key = Some(key);
        Some(value)
    }

    fn finish(self) -> Result<Vec<NamedSection>, Malformed> {
        let for_all = Arc::new(self.for_all.settings()?);
        let sections = self.sections.into_iter().map(|lines| {
            Ok(NamedSection {
                title: lines.title.to_owned(),
                section: Section {
                    own: lines.settings()?,
                    for_all: Arc::clone(&for_all),
                },
            })
        });
        sections.collect()
    }
}

impl Lines<'_> {
    fn settings(self) -> Result<Settings, Malformed> {
        let values = self.lines.into_iter().map(|(key, (number, lines))| {
            let value = match KEYS.contains(&key.as_str()) {
                // An empty one counts as not set.
                true if lines.iter().any(|line| !line.is_empty()) => Value::Withheld,
                true => Value::Text(String::new()),
                false => value(number, &lines)?,
            };
            Ok((key, value))
        });
        Ok(Settings {
            values: values.collect::<Result<_, Malformed>>()?,
            places: self.places,
        })
    }
}

/// Returns the title between the brackets, up to the last bracket of the line, as `configparser`
/// does.
fn title(content: &str) -> Option<&str> {
    let end = content.rfind(']')?;
    let title = content.get(1..end)?;
    (content.starts_with('[') && !title.is_empty()).then_some(title)
}

fn value(number: usize, lines: &[&str]) -> Result<Value, Malformed> {
    let text = lines.join("\n");
    let text = text.trim_end();
    // Nested settings begin below a key without a value, by which botocore recognizes them.
    if !text.starts_with('\n') {
        return Ok(Value::Text(text.to_owned()));
    }
    let mut nested = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Malformed {
                line: number,
                what: "an indented line below this key has no =: write it as key = value",
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
        let found = sections.iter().find(|found| found.title == section)?;
        found.section.get(key)?.text().map(str::to_owned)
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
    fn every_malformed_line_is_found() {
        for (file, expected) in [
            ("[a]\nx = 1\n", vec![]),
            (
                "x = 1\n[a]\nnonsense\ny = 2\n  z\ny = 3\n  z\n= 4\n",
                vec![1, 3, 6, 8],
            ),
            // What is below a section that occurs twice belongs to it, and not to the section above.
            ("[a]\nx = 1\n[a]\nx = 1\n[b]\nnonsense\n", vec![3, 6]),
            (
                "\u{feff}[s]\r\nsts =\r\n  nonsense\r\nx = 1\r\nx = 2\r\n",
                vec![2, 5],
            ),
        ] {
            let lines: Vec<_> = problems(file).iter().map(|it| it.line).collect();
            assert_eq!(lines, expected, "{file:?}");
        }
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
        let Some(Value::Nested(sts)) = sections[0].section.get("sts") else {
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
    fn a_key_is_read_from_its_section_and_is_not_among_the_settings() {
        let file = "\u{feff}[a]\r\nregion = x\r\nAWS_Secret_Access_Key = one # c\r\n[DEFAULT]\r\n\
                    aws_session_token : all\r\n[b]\r\naws_secret_access_key = two\r\n   2\r\n\r\n\
                    [DEFAULT]\naws_access_key_id=id\n[c]\raws_secret_access_key=";
        let sections = parse(file).unwrap();
        let secret = "aws_secret_access_key";
        for (number, key, value) in [
            (0, secret, Some("one")),
            (0, "aws_session_token", Some("all")),
            (0, "aws_access_key_id", Some("id")),
            (1, secret, Some("two\n2")),
            (1, "aws_access_key_id", Some("id")),
            (2, secret, Some("")),
            (2, "aws_security_token", None),
        ] {
            let section = &sections[number].section;
            let found = section.key(file, key);
            assert_eq!(
                found.as_ref().map(|key| key.as_str()),
                value,
                "{number} {key}"
            );
            let withheld = value.is_some_and(|value| !value.is_empty());
            assert_eq!(section.get(key) == Some(&Value::Withheld), withheld);
        }
    }

    /// Returns the CPU time of this thread: other load on the machine does not count.
    #[cfg(target_os = "linux")]
    fn on_cpu() -> u64 {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let (nanoseconds, _) = statistics.split_once(' ').unwrap();
        nanoseconds.parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_grows_with_the_file_and_not_with_its_square() {
        let cost = |sections: usize| {
            let mut text = "[DEFAULT]\nregion = x\n".to_owned();
            for number in 0..sections {
                text += &format!("[profile p{number}]\nrole_arn = r{number}\n[DEFAULT]\n");
            }
            let began = on_cpu();
            assert_eq!(parse(&text).unwrap().len(), sections);
            on_cpu() - began
        };
        let (few, many) = (cost(500), cost(20_000));
        // 40 times as many: a quadratic parser takes 1,600 times as long.
        assert!(many < few.max(1_000_000) * 400, "{few} ns and {many} ns");
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
