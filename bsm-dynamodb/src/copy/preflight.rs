//! The checks before anything is written.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
    TableStatus,
};
use bsm_core::BotoSesManager;

use super::checkpoint::{Checkpoint, NewTable, TableIdentity, Target};
use super::plan::{CopyPlan, TablePlace};
use super::resume;
use super::side::{Side, TableKey};
use super::{CopyPolicy, Settings};
use crate::error::{Error, ErrorKind};

/// Into how many segments a table is divided, unless told otherwise.
const SEGMENTS: u32 = 8;

/// Everything a copy needs to begin.
pub(super) struct Prepared {
    pub(super) source: Side,
    pub(super) target: Side,
    pub(super) source_table: TableDescription,
    pub(super) key: TableKey,
    pub(super) index_keys: Vec<AttributeDefinition>,
    pub(super) checkpoint: Checkpoint,
    pub(super) plan: CopyPlan,
}

pub(super) async fn prepare(
    source: &BotoSesManager,
    target: &BotoSesManager,
    settings: &Settings,
) -> Result<Prepared, Error> {
    let source = Side::open(source, &settings.source_table).await?;
    let target = Side::open(target, &settings.target_table).await?;
    let accounts = (source.account().await?, target.account().await?);

    let Some(source_table) = source.describe().await? else {
        return Err(source.error(
            ErrorKind::TableNotFound,
            "the table to copy from does not exist in this account and region",
        ));
    };
    let target_table = target.describe().await?;
    if target_table.is_none() && !settings.create_target {
        return Err(target.error(
            ErrorKind::TableNotFound,
            "the table to copy to does not exist in this account and region: create it, or let the \
             copy do so with create_target(true)",
        ));
    }
    check_active(&source, &source_table)?;
    let new_table = NewTable {
        table: target.table.clone(),
        account: accounts.1.clone(),
        region: target.region().unwrap_or_default(),
    };
    let earlier = resume::earlier(&source, &source_table, settings)?;
    let is_being_created = match &earlier {
        Some((file, earlier)) => file.check_target(earlier, &new_table, target_table.as_ref())?,
        None => false,
    };
    if let Some(target_table) = &target_table {
        // A table that an earlier copy has begun to create is waited for later.
        let is_under_way = target_table.table_status == Some(TableStatus::Creating);
        if !(is_being_created && is_under_way) {
            check_active(&target, target_table)?;
        }
        if target_table.table_arn == source_table.table_arn {
            return Err(target.error(
                ErrorKind::SameTable,
                "the table to copy to is the table to copy from: check the two managers, or give \
                 another name with target_table()",
            ));
        }
        check_keys(&target, &source_table, target_table)?;
        if is_being_created && !is_under_way {
            check_nothing_was_written(&target).await?;
        }
    }

    let resumes = earlier.is_some();
    let checkpoint = match earlier {
        Some((_, earlier)) => earlier,
        None => Checkpoint::new(
            identity(&source_table),
            match &target_table {
                Some(table) => Target::Existing(identity(table)),
                None => Target::New {
                    creating: new_table,
                },
            },
            settings.segments.unwrap_or(SEGMENTS),
        ),
    };
    let must_be_empty = settings.policy == CopyPolicy::FailIfNotEmpty && !resumes;
    if must_be_empty && target_table.is_some() && target.has_items().await? {
        return Err(target.error(
            ErrorKind::TableNotEmpty,
            "the table to copy to has items already: choose what to do about them with policy()",
        ));
    }

    let place = |side: &Side, account, table: Option<&TableDescription>| TablePlace {
        table: side.table.clone(),
        account,
        region: side.region().unwrap_or_default(),
        manager: side.manager().to_string(),
        arn: table.and_then(|table| table.table_arn.clone()),
    };
    let counted = |count: Option<i64>| count.and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0);
    let plan = CopyPlan {
        source: place(&source, accounts.0, Some(&source_table)),
        target: place(&target, accounts.1, target_table.as_ref()),
        creates_target: target_table.is_none() || is_being_created,
        resumes,
        segments: u32::try_from(checkpoint.segments.len()).unwrap_or(u32::MAX),
        expected_items: counted(source_table.item_count),
        expected_bytes: counted(source_table.table_size_bytes),
    };
    let Some(key) = table_key(&source_table) else {
        return Err(source.error(
            ErrorKind::Service,
            "DynamoDB described the table without its key",
        ));
    };
    let index_keys = index_keys(target_table.as_ref().unwrap_or(&source_table));
    Ok(Prepared {
        source,
        target,
        source_table,
        key,
        index_keys,
        checkpoint,
        plan,
    })
}

pub(super) fn identity(table: &TableDescription) -> TableIdentity {
    TableIdentity {
        arn: table.table_arn.clone().unwrap_or_default(),
        id: table.table_id.clone(),
    }
}

fn check_active(side: &Side, table: &TableDescription) -> Result<(), Error> {
    if table.table_status == Some(TableStatus::Active) {
        return Ok(());
    }
    Err(side.error(
        ErrorKind::TableInUse,
        "the table is being created, changed or deleted: try again when it is active",
    ))
}

/// Refuses a new table with items: the copy has not begun to write, so they are somebody else's.
pub(super) async fn check_nothing_was_written(target: &Side) -> Result<(), Error> {
    if !target.has_items().await? {
        return Ok(());
    }
    Err(target.error(
        ErrorKind::TableNotEmpty,
        "the table to copy to was being created by this copy, and has items of somebody else: \
         delete the checkpoint if there is one, and choose what to do about them with policy()",
    ))
}

/// Refuses a target with another key, or with an index that the source's items cannot be in.
pub(super) fn check_keys(
    target: &Side,
    source_table: &TableDescription,
    target_table: &TableDescription,
) -> Result<(), Error> {
    let refuse = |message: String| Err(target.error(ErrorKind::TableMismatch, message));
    let key = |table: &TableDescription| {
        let elements = table.key_schema().iter();
        let types = elements.map(|element| {
            let name = element.attribute_name().to_owned();
            let key_type = defined_type(table, &name).cloned();
            (element.key_type().clone(), name, key_type)
        });
        types.collect::<Vec<_>>()
    };
    if key(source_table) != key(target_table) {
        return refuse(
            "the table to copy to has another key than the table to copy from: compare what \
             DescribeTable says of both"
                .into(),
        );
    }
    for wanted in index_keys(target_table) {
        let name = wanted.attribute_name();
        match defined_type(source_table, name) {
            Some(actual) if actual != wanted.attribute_type() => {
                return refuse(format!(
                    "an index of the table to copy to has the key `{name}` of the type {}, and in \
                     the table to copy from it is {actual}",
                    wanted.attribute_type()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn defined_type<'a>(table: &'a TableDescription, name: &str) -> Option<&'a ScalarAttributeType> {
    let defined = table.attribute_definitions().iter();
    let mut defined = defined.filter(|attribute| attribute.attribute_name() == name);
    defined.next().map(AttributeDefinition::attribute_type)
}

fn table_key(table: &TableDescription) -> Option<TableKey> {
    let name = |role: KeyType| {
        let mut elements = table.key_schema().iter();
        let element = elements.find(|element| *element.key_type() == role);
        element.map(|element| element.attribute_name().to_owned())
    };
    Some(TableKey {
        hash: name(KeyType::Hash)?,
        range: name(KeyType::Range),
    })
}

/// The attributes that an index of the table demands to be of a type.
fn index_keys(table: &TableDescription) -> Vec<AttributeDefinition> {
    let global = table.global_secondary_indexes().iter();
    let global = global.flat_map(|index| index.key_schema());
    let local = table.local_secondary_indexes().iter();
    let local = local.flat_map(|index| index.key_schema());
    let names: Vec<&str> = global
        .chain(local)
        .map(KeySchemaElement::attribute_name)
        .collect();
    let defined = table.attribute_definitions().iter();
    defined
        .filter(|attribute| names.contains(&attribute.attribute_name()))
        .cloned()
        .collect()
}
