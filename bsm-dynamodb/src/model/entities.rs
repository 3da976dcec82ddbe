//! Enums over the models of one table.

use crate::codec::{CodecError, Item};
use crate::expression::Node;
use crate::model::entity::Entity;
use crate::model::index::Source;
use crate::model::{Model, entity, stored};

/// The items of several models of one table, as an enum.
///
/// `#[derive(Entities)]` implements it for an enum whose variants contain one model each. A query or scan
/// of one of the models reads the items of all of them with
/// [`entities`](crate::Query::entities).
///
/// # Examples
///
/// ```no_run
/// use bsm_dynamodb::{Entities, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "shop", entity = "customer")]
/// #[model(hash_key = "CUSTOMER#{id}", range_key = "PROFILE")]
/// struct Customer {
///     id: String,
///     name: String,
/// }
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "shop", entity = "order")]
/// #[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{number:08}")]
/// struct Order {
///     customer: String,
///     number: u64,
/// }
///
/// #[derive(Entities)]
/// enum ShopItem {
///     Customer(Customer),
///     Order(Order),
/// }
///
/// # async fn f() -> Result<(), bsm_dynamodb::Error> {
/// for item in Customer::query("ada").entities::<ShopItem>().collect().await? {
///     match item {
///         ShopItem::Customer(customer) => println!("{}", customer.name),
///         ShopItem::Order(order) => println!("  order {}", order.number),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum over models",
    note = "derive `Entities` for an enum whose variants contain one model each"
)]
pub trait Entities: Sized + Send + 'static {
    /// The entities of the models.
    const ENTITIES: &'static [Option<Entity>];

    /// Turns an item into the model that it belongs to.
    ///
    /// # Errors
    ///
    /// If it belongs to none of the models, or does not fit the one it belongs to.
    fn from_item(item: Item) -> Result<Self, CodecError>;
}

/// Returns `true` if this source has the attributes that tell the models of an enum apart.
pub(crate) fn projects_discriminators<M: Model, S: Source<M>, E: Entities>() -> bool {
    let mut entities = E::ENTITIES.iter().flatten();
    entities.all(|entity| entity::has_attribute::<M>(S::INDEX, entity.attribute()))
}

/// Returns the condition that leaves the items of all other models out of a read.
pub(crate) fn filter<E: Entities>(_: bool) -> Option<Node> {
    // One condition compares one attribute, so it needs models that all have the same one.
    let mut values = Vec::new();
    let attribute = (*E::ENTITIES.first()?)?.attribute();
    for entity in E::ENTITIES {
        // A model that is known by its key only has no attribute to compare.
        let entity = (*entity).filter(|entity| entity.attribute() == attribute)?;
        values.push(entity.attribute_value());
    }
    Some(Entity::condition(attribute, values))
}

/// Turns an item into the model `M`, or returns it if it belongs to another one.
pub fn decode_if<M: Model>(item: Item) -> Result<Result<M, CodecError>, Item> {
    // `check` accepts an item without the attribute, so the first model of the enum would take every such item.
    let has_entity = M::ENTITY.is_none_or(|entity| item.contains_key(entity.attribute()));
    match has_entity && entity::check::<M>(&item).is_ok() {
        true => Ok(stored::decode(item)),
        false => Err(item),
    }
}

/// The error of an item that belongs to none of the models of an enum.
pub fn of_no_model<E>() -> CodecError {
    let name = std::any::type_name::<E>();
    format!("the item belongs to none of the models of {name}").into()
}
