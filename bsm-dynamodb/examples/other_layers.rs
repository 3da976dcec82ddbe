//! Code that does not use this crate's models: the plain SDK, and the model layer modyne.
//!
//! Either gets its client from a slot, and so follows the session that is active.
//!
//! ```text
//! cargo run --example other_layers
//! ```

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use bsm_core::BotoSesManager;
use bsm_dynamodb::{ConnectionSlot, slot, with_boto_session};
use bsm_local_aws::LocalAws;
use modyne::{Entity, EntityDef, EntityExt as _, Table, keys};
use serde::{Deserialize, Serialize};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// modyne's table, made for one connection.
struct Sessions {
    client: Client,
}

/// Lets sessions be chosen for it, as for a model.
impl ConnectionSlot for Sessions {}

impl Sessions {
    const TABLE: &str = "sessions";

    /// Connects to the account that is active here.
    async fn here() -> Result<Self> {
        let client = slot::<Self>().client().await?;
        Ok(Self { client })
    }
}

impl Table for Sessions {
    type PrimaryKey = keys::Primary;
    type IndexKeys = ();

    fn table_name(&self) -> &str {
        Self::TABLE
    }

    fn client(&self) -> &Client {
        &self.client
    }
}

#[derive(EntityDef, Serialize, Deserialize)]
struct Session {
    token: String,
    user: String,
}

impl Entity for Session {
    type KeyInput<'a> = &'a str;
    type Table = Sessions;
    type IndexKeys = ();

    fn primary_key(token: &str) -> keys::Primary {
        keys::Primary {
            hash: format!("SESSION#{token}"),
            range: format!("SESSION#{token}"),
        }
    }

    fn full_key(&self) -> keys::FullKey<keys::Primary, ()> {
        Self::primary_key(&self.token).into()
    }
}

/// With modyne.
async fn log_in(user: &str) -> Result {
    let session = Session {
        token: format!("token-of-{user}"),
        user: user.to_owned(),
    };
    session.put().execute(&Sessions::here().await?).await?;
    Ok(())
}

/// With the SDK alone.
async fn create_table() -> Result {
    let attribute = |name| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
    };
    let key = |name, key_type| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(key_type)
            .build()
    };
    let client = slot::<Sessions>().client().await?;
    client
        .create_table()
        .table_name(Sessions::TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("PK")?)
        .attribute_definitions(attribute("SK")?)
        .key_schema(key("PK", KeyType::Hash)?)
        .key_schema(key("SK", KeyType::Range)?)
        .send()
        .await?;
    Ok(())
}

async fn count() -> Result<i32> {
    let client = slot::<Sessions>().client().await?;
    let scan = client.scan().table_name(Sessions::TABLE).send().await?;
    Ok(scan.count())
}

#[tokio::main]
async fn main() -> Result {
    let aws = LocalAws::start().await?;
    let folder = tempfile::tempdir()?;
    aws.write_profiles(&folder)?;
    let from_profile = |name: &str| {
        BotoSesManager::builder()
            .profile_name(name)
            .config_file(folder.path().join("config"))
            .shared_credentials_file(folder.path().join("credentials"))
            .environment([]) // nothing real is touched
            .build()
    };
    let (staging, production) = (from_profile("staging"), from_profile("production"));

    for bsm in [&staging, &production] {
        with_boto_session::<Sessions, _>(bsm, create_table()).await?;
    }
    with_boto_session::<Sessions, _>(&staging, async {
        log_in("alice").await?;
        log_in("bob").await
    })
    .await?;
    with_boto_session::<Sessions, _>(&production, log_in("carol")).await?;

    for bsm in [&staging, &production] {
        let sessions = with_boto_session::<Sessions, _>(bsm, count()).await?;
        println!("{bsm}: {sessions} sessions");
    }
    Ok(())
}
