//! Comparing tables finds every difference, and only differences.

use aws_sdk_dynamodb::types::AttributeValue as V;
use bsm_dynamodb::Item;

use super::support::{Pair, item, n, s, user, users};

async fn compared(source: Vec<Item>, target: Vec<Item>) -> bsm_dynamodb::Verification {
    let pair = Pair::start(0).await;
    pair.put(&pair.source, source).await;
    pair.put(&pair.target, target).await;
    let before = pair.calls("BatchWriteItem");
    let verification = pair.copy().page_size(30).compare().await.unwrap();
    assert_eq!(pair.calls("BatchWriteItem"), before);
    verification
}

#[tokio::test]
async fn missing_extra_and_different_items_are_named() {
    let mut target = users(300);
    target.remove(250);
    target[17].insert("name".into(), s("another"));
    target[18].insert("more".into(), V::Null(true));
    target.push(user("extra"));
    let verification = compared(users(300), target).await;
    assert!(!verification.is_complete() && !verification.is_identical());
    assert_eq!(verification.compared(), 300);
    let id = |id: &str| item([("id", s(id))]);
    assert_eq!(verification.missing().keys(), [id("00250")]);
    assert_eq!(verification.different().count(), 2);
    assert!(verification.different().keys().contains(&id("00017")));
    assert_eq!(verification.extra().unwrap().keys(), [id("extra")]);
    assert!(!format!("{verification:?}").contains("00250"));
}

#[tokio::test]
async fn sets_in_another_order_are_the_same() {
    let with = |set: &[&str]| {
        let set = set.iter().map(ToString::to_string).collect();
        vec![item([("id", s("1")), ("set", V::Ss(set))])]
    };
    let verification = compared(with(&["a", "b", "c"]), with(&["c", "a", "b"])).await;
    assert!(verification.is_identical(), "{verification:?}");
    let verification = compared(with(&["a", "b"]), with(&["a", "c"])).await;
    assert_eq!(verification.different().count(), 1);
}

#[tokio::test]
async fn a_report_of_many_differences_stays_small() {
    let verification = compared(vec![], users(1500)).await;
    let extra = verification.extra().unwrap();
    assert_eq!((extra.count(), extra.keys().len()), (1500, 1000));
    let number = |value| vec![item([("id", s("1")), ("n", n(value))])];
    assert_eq!(compared(number(1), number(2)).await.different().count(), 1);
}
