//! The profile files of the process, each parsed once for each content that it had.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::ini::{self, NamedSection, Section};
use super::shlex;
use crate::error::{Error, ErrorKind};
use crate::small_file;

/// How long a profile file may be. 100,000 profiles have about 10 MiB, and another file must not fill
/// the memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Files whose sections are cached: more than any program has, apart from one that makes its own.
const MAX_CACHED: usize = 16;

/// One of the two profile files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Config,
    Credentials,
}

/// A file that has been read just now. The text holds the keys, and goes with the last owner.
#[derive(Clone, Default)]
pub(super) struct ReadFile {
    pub(super) sections: Arc<Sections>,
    pub(super) text: Arc<Zeroizing<String>>,
}

/// The sections of a file, by their names. They hold no key.
#[derive(Default)]
pub(super) struct Sections {
    pub(super) profiles: BTreeMap<String, Arc<Section>>,
    pub(super) sso_sessions: HashMap<String, Section>,
    pub(super) services: HashMap<String, Section>,
    /// Titles of sections that are none of these, such as those of other tools.
    pub(super) others: Vec<String>,
}

/// What has been parsed, the last used one at the end.
#[derive(Default)]
struct Cache(Mutex<Vec<Cached>>);

/// The cache of the process.
static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);

/// The hash of a content, with a seed of this process.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

struct Cached {
    file: File,
    path: PathBuf,
    length: usize,
    hash: u64,
    sections: Arc<Sections>,
}

impl ReadFile {
    /// Reads a file. One that does not exist counts as empty.
    ///
    /// It is read each time, so that a change is noticed whatever the file system says about times.
    pub(super) fn read(file: File, path: &Path) -> Result<Self, Error> {
        Self::through(&CACHE, file, path)
    }

    fn through(cache: &Cache, file: File, path: &Path) -> Result<Self, Error> {
        tracing::debug!(file = %path.display(), "reading a profile file");
        let text = match small_file::read(path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_null(path) => {
                tracing::debug!(file = %path.display(), "there is no such profile file");
                return Ok(Self::default());
            }
            Err(error) => {
                let message = format!(
                    "{} cannot be read: check its permissions and that it is text",
                    path.display()
                );
                return Err(Error::new(ErrorKind::InvalidConfig, message).with_source(error));
            }
        };
        let sections = cache.sections(file, path, &text)?;
        let text = Arc::new(text);
        Ok(Self { sections, text })
    }
}

impl Cache {
    /// Returns the sections of a text, parsed or cached.
    fn sections(&self, file: File, path: &Path, text: &str) -> Result<Arc<Sections>, Error> {
        // A hash in place of the text, because the text contains the keys.
        let (length, hash) = (text.len(), HASHER.hash_one(text));
        // Held while a file is parsed, so that a thousand managers that start together parse it once.
        let mut cached = self.0.lock();
        let same = |cached: &Cached| cached.file == file && cached.path == path;
        if let Some(at) = cached.iter().position(same) {
            // Pushed again below: the list is in order of use. After a change, the old sections go.
            let found = cached.remove(at);
            if (found.length, found.hash) == (length, hash) {
                let sections = Arc::clone(&found.sections);
                cached.push(found);
                return Ok(sections);
            }
        }
        tracing::debug!(file = %path.display(), length, "parsing a profile file");
        let titled = ini::parse(text).map_err(|malformed| {
            let message = format!(
                "the AWS profile file {} cannot be parsed: fix the line that the cause names",
                path.display()
            );
            Error::new(ErrorKind::InvalidConfig, message).with_source(malformed)
        })?;
        let sections = Arc::new(match file {
            File::Config => Sections::of_config(titled),
            File::Credentials => Sections::of_credentials(titled),
        });
        if cached.len() == MAX_CACHED {
            cached.remove(0);
        }
        cached.push(Cached {
            file,
            path: path.to_owned(),
            length,
            hash,
            sections: Arc::clone(&sections),
        });
        Ok(sections)
    }
}

impl Sections {
    // botocore does not merge sections within a file: `[profile "a"]` replaces an earlier `[profile
    // a]`.
    fn of_config(titled: Vec<NamedSection>) -> Self {
        let mut sections = Self::default();
        for NamedSection { title, section } in titled {
            if title == "default" {
                sections.profiles.insert(title, Arc::new(section));
                continue;
            }
            // botocore ignores sections with other titles, and so must this parser: other tools
            // keep theirs here.
            let name = match shlex::split(&title).map(<[String; 2]>::try_from) {
                Some(Ok([_, name])) => name,
                _ => {
                    sections.others.push(title);
                    continue;
                }
            };
            // botocore compares only the beginning: `[profiles a]` is a profile as well.
            if title.starts_with("profile") {
                sections.profiles.insert(name, Arc::new(section));
            } else if title.starts_with("sso-session") {
                sections.sso_sessions.insert(name, section);
            } else if title.starts_with("services") {
                sections.services.insert(name, section);
            } else {
                sections.others.push(title);
            }
        }
        sections
    }

    fn of_credentials(titled: Vec<NamedSection>) -> Self {
        let profiles = titled
            .into_iter()
            .map(|titled| (titled.title, Arc::new(titled.section)));
        Self {
            profiles: profiles.collect(),
            ..Self::default()
        }
    }
}

/// Returns `true` for the device that is empty: `AWS_CONFIG_FILE=/dev/null` is how a program is told to
/// read no file.
fn is_null(path: &Path) -> bool {
    cfg!(unix) && std::fs::canonicalize(path).is_ok_and(|path| path == Path::new("/dev/null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cache: &Cache, path: &Path) -> Arc<Sections> {
        let read = ReadFile::through(cache, File::Config, path).unwrap();
        read.sections
    }

    #[test]
    fn a_file_is_parsed_once_for_each_content() {
        let cache = Cache::default();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(&path, "[profile a]\nregion = x\n").unwrap();
        let first = read(&cache, &path);
        for _ in 0..1_000 {
            assert!(Arc::ptr_eq(&first, &read(&cache, &path)));
        }
        // The same length, within the same second.
        std::fs::write(&path, "[profile b]\nregion = x\n").unwrap();
        let second = read(&cache, &path);
        assert!(second.profiles.contains_key("b"));
        assert!(Arc::ptr_eq(&second, &read(&cache, &path)));
        // In the place of the other file, this text says something else.
        let other = ReadFile::through(&cache, File::Credentials, &path).unwrap();
        assert!(other.sections.profiles.contains_key("profile b"));
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::default();
        let dir = tempfile::tempdir().unwrap();
        let path = |number: usize| dir.path().join(number.to_string());
        for number in 0..=MAX_CACHED {
            std::fs::write(path(number), format!("[profile p{number}]\n")).unwrap();
            read(&cache, &path(number));
        }
        assert_eq!(cache.0.lock().len(), MAX_CACHED);
        assert!(read(&cache, &path(0)).profiles.contains_key("p0"));
    }
}
