//! The file that says how far a copy has come.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::codec::Item;

type Failure = Box<dyn StdError + Send + Sync>;

/// How far a copy has come, and of what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    version: u32,
    pub(super) source: TableIdentity,
    pub(super) target: Target,
    pub(super) segments: Vec<Segment>,
}

/// The table to copy to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Target {
    /// The copy creates it, and does not know yet which one it will be.
    New {
        creating: NewTable,
    },
    Existing(TableIdentity),
}

/// Where a table is being created.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTable {
    pub(super) table: String,
    pub(super) account: String,
    pub(super) region: String,
}

/// Which table, and which one of that name, if it was deleted and created again.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableIdentity {
    pub(super) arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
}

impl TableIdentity {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let recreated = matches!((&self.id, &other.id), (Some(one), Some(other)) if one != other);
        self.arn == other.arn && !recreated
    }
}

/// How far a segment is stored in the target.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Segment {
    pub(super) position: Position,
    /// How many items of the source are done with.
    pub(super) stored: u64,
}

/// Where the next page of a segment begins.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Position {
    #[default]
    Start,
    /// After the item with this key.
    After(#[serde(with = "key_as_json")] Item),
    End,
}

impl Checkpoint {
    const VERSION: u32 = 1;

    pub(super) fn new(source: TableIdentity, target: Target, segments: u32) -> Self {
        Self {
            version: Self::VERSION,
            source,
            target,
            segments: (0..segments).map(|_| Segment::default()).collect(),
        }
    }

    /// Reads a file, if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // First, because another version may have written something else.
        let Header { version } = serde_json::from_slice(&text)?;
        if version != Self::VERSION {
            return Err(format!("it has the version {version}, not {}", Self::VERSION).into());
        }
        let checkpoint: Self = serde_json::from_slice(&text)?;
        if checkpoint.segments.is_empty() {
            return Err("it has no segments".into());
        }
        Ok(Some(checkpoint))
    }

    /// Replaces the file as a whole, so that whoever reads it finds the old one or the new one.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    pub(super) fn stored(&self) -> u64 {
        self.segments.iter().map(|segment| segment.stored).sum()
    }
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

/// A key in the JSON of DynamoDB: `{"id": {"S": "1"}}`.
mod key_as_json {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserializer, Serializer};

    use super::{AttributeValue, BTreeMap, Blob, Deserialize, Item, Serialize, base64};

    #[derive(Deserialize, Serialize)]
    enum Value {
        S(String),
        N(String),
        B(String),
    }

    pub(super) fn serialize<S: Serializer>(key: &Item, serializer: S) -> Result<S::Ok, S::Error> {
        let values: BTreeMap<&str, Value> = key
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    AttributeValue::S(text) => Value::S(text.clone()),
                    AttributeValue::N(number) => Value::N(number.clone()),
                    AttributeValue::B(bytes) => Value::B(base64::encode(bytes)),
                    _ => return Err(S::Error::custom("a key is a string, a number or binary")),
                };
                Ok((name.as_str(), value))
            })
            .collect::<Result<_, _>>()?;
        values.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Item, D::Error> {
        let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let values = values.into_iter().map(|(name, value)| {
            let value = match value {
                Value::S(text) => AttributeValue::S(text),
                Value::N(number) => AttributeValue::N(number),
                Value::B(text) => {
                    let bytes = base64::decode(text).map_err(D::Error::custom)?;
                    AttributeValue::B(Blob::new(bytes))
                }
            };
            Ok((name, value))
        });
        values.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let identity = |arn: &str| TableIdentity {
            arn: arn.to_owned(),
            id: Some("1".to_owned()),
        };
        let target = Target::Existing(identity("target"));
        let mut checkpoint = Checkpoint::new(identity("source"), target, 3);
        let key = Item::from([
            ("é".to_owned(), AttributeValue::S("\u{1F600}".to_owned())),
            ("n".to_owned(), AttributeValue::N("9".repeat(38))),
            ("b".to_owned(), AttributeValue::B(Blob::new([0, 255, 10]))),
        ]);
        checkpoint.segments[1] = Segment {
            position: Position::After(key),
            stored: 7,
        };
        checkpoint.segments[2].position = Position::End;
        checkpoint
    }

    #[test]
    fn keys_of_every_type_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert!(Checkpoint::read(&path).unwrap().is_none());
        let wanted = checkpoint();
        wanted.write(&path).unwrap();
        let read = Checkpoint::read(&path).unwrap().unwrap();
        assert_eq!(format!("{read:?}").len(), format!("{wanted:?}").len());
        match (&read.segments[1].position, &wanted.segments[1].position) {
            (Position::After(read), Position::After(wanted)) => assert_eq!(read, wanted),
            other => panic!("{other:?}"),
        }
        assert_eq!(read.stored(), 7);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_table_that_is_being_created_has_a_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let place = NewTable {
            table: "users".to_owned(),
            account: "333333333333".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let mut wanted = checkpoint();
        wanted.target = Target::New {
            creating: place.clone(),
        };
        wanted.write(&path).unwrap();
        match Checkpoint::read(&path).unwrap().unwrap().target {
            Target::New { creating } => assert_eq!(creating, place),
            Target::Existing(table) => panic!("{table:?}"),
        }
    }

    #[test]
    fn a_file_of_the_first_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let text = r#"{"version":1,
            "source":{"arn":"source","id":"1"},"target":{"arn":"target"},
            "segments":[{"position":"start","stored":0},{"position":"end","stored":3},
                {"position":{"after":{"id":{"S":"7"}}},"stored":4}]}"#;
        fs::write(&path, text).unwrap();
        let read = Checkpoint::read(&path).unwrap().unwrap();
        assert!(matches!(&read.target, Target::Existing(table) if table.arn == "target"));
        assert_eq!((read.segments.len(), read.stored()), (3, 7));
    }

    #[test]
    fn a_file_of_another_version_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        fs::write(&path, r#"{"version":2,"what":"ever"}"#).unwrap();
        let error = Checkpoint::read(&path).unwrap_err();
        assert_eq!(error.to_string(), "it has the version 2, not 1");
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        for text in [
            "",
            "{",
            "{}",
            r#"{"version":1,"source":{"arn":""},"target":{"arn":""},"segments":[]}"#,
            r#"{"version":1,"source":{"arn":""},"target":{},"segments":[{"position":"start","stored":0}]}"#,
        ] {
            fs::write(&path, text).unwrap();
            assert!(Checkpoint::read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn a_table_that_was_created_again_is_another_one() {
        let identity = |id: Option<&str>| TableIdentity {
            arn: "arn".to_owned(),
            id: id.map(ToOwned::to_owned),
        };
        let table = identity(Some("1"));
        assert!(table.is_same(&identity(Some("1"))));
        assert!(!table.is_same(&identity(Some("2"))));
        assert!(table.is_same(&identity(None)));
        assert!(!table.is_same(&TableIdentity::default()));
    }
}
