//! The definition of a model's table, as SDK types.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType as KeyRole,
    LocalSecondaryIndex, Projection as SdkProjection, ProjectionType, ProvisionedThroughput,
    TableDescription,
};

use super::is_index_being_deleted;
use crate::model::Model;
use crate::model::billing::Billing;
use crate::model::index::{IndexDefinition, KeyPart, Projection};
use crate::model::key::Key;

/// The keys, indexes and billing of a table.
pub(super) struct TableDefinition {
    attributes: Vec<AttributeDefinition>,
    key: Vec<KeySchemaElement>,
    local: Vec<LocalSecondaryIndex>,
    global: Vec<GlobalSecondaryIndex>,
    throughput: Option<ProvisionedThroughput>,
}

/// What an existing table lacks.
pub(super) enum Missing {
    Key,
    Index(String),
}

impl TableDefinition {
    /// The table of the model `M`, with its indexes and with those of other models.
    pub(super) fn of<M: Model>(
        billing: Billing,
        more_indexes: &[IndexDefinition],
    ) -> Result<Self, BuildError> {
        let (hash, range) = M::Key::TYPES;
        let part = |name, key_type, is_hash| KeyPart {
            name,
            key_type,
            is_hash,
        };
        let range = M::KEY.range_name().zip(range);
        let range = range.map(|(name, key_type)| part(name, key_type, false));
        let key = std::iter::once(part(M::KEY.hash_name(), hash, true)).chain(range);
        let throughput = match billing {
            Billing::OnDemand => None,
            Billing::Provisioned { read, write } => Some(units(read, write)?),
        };
        let indexes = M::INDEXES.iter().chain(more_indexes);
        let (global, local): (Vec<_>, Vec<_>) = indexes.clone().partition(|index| index.is_global);
        // DynamoDB requires each attribute once, and indexes may share attributes with the table.
        let attributes: BTreeMap<_, _> = key
            .clone()
            .chain(indexes.flat_map(IndexDefinition::key))
            .map(|part| (part.name, part))
            .collect();
        Ok(Self {
            attributes: attributes
                .into_values()
                .map(attribute_definition)
                .collect::<Result<_, _>>()?,
            key: key_schema(key)?,
            // Without a capacity: a local index uses that of the table.
            local: local
                .into_iter()
                .map(local_index)
                .collect::<Result<_, _>>()?,
            global: global
                .into_iter()
                .map(|index| global_index(index, throughput.clone()))
                .collect::<Result<_, _>>()?,
            throughput,
        })
    }

    /// Adds the definition to a request.
    pub(super) fn fill(self, request: CreateTableFluentBuilder) -> CreateTableFluentBuilder {
        let billing = match &self.throughput {
            Some(_) => BillingMode::Provisioned,
            None => BillingMode::PayPerRequest,
        };
        request
            .set_attribute_definitions(Some(self.attributes))
            .set_key_schema(Some(self.key))
            // DynamoDB refuses empty lists of indexes.
            .set_local_secondary_indexes((!self.local.is_empty()).then_some(self.local))
            .set_global_secondary_indexes((!self.global.is_empty()).then_some(self.global))
            .billing_mode(billing)
            .set_provisioned_throughput(self.throughput)
    }

    /// Returns what an existing table lacks, or `None`. It may have more attributes and indexes.
    pub(super) fn missing_in(&self, table: &TableDescription) -> Option<Missing> {
        let types_of = |key: &[KeySchemaElement]| {
            key.iter().all(|element| {
                let is_wanted =
                    |it: &&AttributeDefinition| it.attribute_name() == element.attribute_name();
                let wanted = self.attributes.iter().find(is_wanted);
                wanted.is_some_and(|wanted| table.attribute_definitions().contains(wanted))
            })
        };
        // This compares names and roles. The types are in the attribute definitions.
        if table.key_schema() != self.key || !types_of(&self.key) {
            return Some(Missing::Key);
        }
        let global = self
            .global
            .iter()
            .map(|it| (it.index_name(), it.key_schema()));
        let local = self
            .local
            .iter()
            .map(|it| (it.index_name(), it.key_schema()));
        let there = table.global_secondary_indexes().iter();
        let there = there.filter(|index| !is_index_being_deleted(index));
        let there = there.map(|it| (it.index_name(), it.key_schema()));
        let local_there = table.local_secondary_indexes().iter();
        let there: Vec<_> = local_there
            .map(|it| (it.index_name(), it.key_schema()))
            .chain(there)
            .collect();
        global
            .chain(local)
            // An index with the right names may still have other types.
            .find(|(name, key)| !there.contains(&(Some(name), key)) || !types_of(key))
            .map(|(name, _)| Missing::Index(name.to_owned()))
    }
}

pub(super) fn attribute_definition(part: KeyPart) -> Result<AttributeDefinition, BuildError> {
    let attribute = AttributeDefinition::builder().attribute_name(part.name);
    attribute.attribute_type(part.key_type.into()).build()
}

pub(super) fn key_schema(
    key: impl Iterator<Item = KeyPart>,
) -> Result<Vec<KeySchemaElement>, BuildError> {
    key.map(|part| {
        let element = KeySchemaElement::builder().attribute_name(part.name);
        let role = match part.is_hash {
            true => KeyRole::Hash,
            false => KeyRole::Range,
        };
        element.key_type(role).build()
    })
    .collect()
}

fn local_index(index: &IndexDefinition) -> Result<LocalSecondaryIndex, BuildError> {
    LocalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key_schema(index.key())?))
        .projection(projection(index.projection))
        .build()
}

fn global_index(
    index: &IndexDefinition,
    throughput: Option<ProvisionedThroughput>,
) -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key_schema(index.key())?))
        .projection(projection(index.projection))
        .set_provisioned_throughput(throughput)
        .build()
}

pub(super) fn projection(projection: Projection) -> SdkProjection {
    let (kind, attributes) = match projection {
        Projection::All => (ProjectionType::All, None),
        Projection::KeysOnly => (ProjectionType::KeysOnly, None),
        Projection::Include(names) => (ProjectionType::Include, Some(names)),
    };
    let names = attributes.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    SdkProjection::builder()
        .projection_type(kind)
        .set_non_key_attributes(names)
        .build()
}

fn units(read: u64, write: u64) -> Result<ProvisionedThroughput, BuildError> {
    // DynamoDB rejects far smaller numbers, with an error that says so.
    let units = |number| i64::try_from(number).unwrap_or(i64::MAX);
    ProvisionedThroughput::builder()
        .read_capacity_units(units(read))
        .write_capacity_units(units(write))
        .build()
}
