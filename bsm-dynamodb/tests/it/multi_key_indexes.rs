//! Global indexes with several hash keys and several range keys.

use bsm_dynamodb::{ErrorKind, Index, Model, copy_table};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use crate::support::Playground;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Model)]
#[model(table = "matches")]
struct Match {
    #[model(hash_key)]
    id: u32,
    #[model(index(ByTournament, hash_key, name = "by-tournament"))]
    tournament: String,
    #[model(index(ByTournament, hash_key), index(ByRegion, hash_key))]
    #[serde(rename = "area")]
    region: String,
    #[model(index(ByTournament, range_key), index(ByRegion, hash_key))]
    round: u8,
    #[model(index(ByTournament, range_key))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bracket: Option<String>,
}

fn game(id: u32, region: &str, round: u8, bracket: Option<&str>) -> Match {
    Match {
        id,
        tournament: "WINTER".into(),
        region: region.into(),
        round,
        bracket: bracket.map(Into::into),
    }
}

async fn start() -> Playground {
    let local = Playground::start().await;
    let fill = async {
        Match::create_table().wait().await.unwrap();
        let matches = [
            game(1, "EU", 2, Some("UPPER")),
            game(2, "EU", 1, Some("UPPER")),
            game(3, "EU", 1, Some("LOWER")),
            game(4, "US", 1, Some("LOWER")),
            // Not in the index: it lacks one of the keys.
            game(5, "EU", 1, None),
        ];
        Match::batch_write().save_all(matches).await.unwrap();
    };
    local.profile("default").scope(fill).await;
    local
}

fn ids(matches: &[Match]) -> Vec<u32> {
    matches.iter().map(|found| found.id).collect()
}

#[tokio::test]
async fn a_query_has_a_condition_on_each_hash_key_and_on_the_first_range_keys() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let in_europe = || ByTournament::query("WINTER").and_key(Match::region().eq("EU"));
    // The order is that of all range keys.
    let all = in_europe().collect().await.unwrap();
    assert_eq!(ids(&all), [3, 2, 1]);
    let all = in_europe().descending().collect().await.unwrap();
    assert_eq!(ids(&all), [1, 2, 3]);
    let first_round = || in_europe().range_eq(1);
    assert_eq!(ids(&first_round().collect().await.unwrap()), [3, 2]);
    let upper = first_round().and_key(Match::bracket().begins_with("U"));
    assert_eq!(ids(&upper.collect().await.unwrap()), [2]);
    let later = in_europe().range_gt(1);
    assert_eq!(ids(&later.collect().await.unwrap()), [1]);
    let hashes = ByRegion::query("EU").and_key(Match::round().eq(1));
    assert_eq!(hashes.count().await.unwrap(), 3);
}

#[tokio::test]
async fn conditions_that_dynamodb_cannot_look_up_are_invalid_requests() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let query = || ByTournament::query("WINTER");
    let in_europe = || query().and_key(Match::region().eq("EU"));
    for query in [
        // A hash key is missing, or has another condition than `eq`.
        query(),
        query().and_key(Match::region().ge("EU")),
        // A range key before this one is missing, or is a range.
        in_europe().and_key(Match::bracket().eq("UPPER")),
        in_europe()
            .range_gt(1)
            .and_key(Match::bracket().eq("UPPER")),
        // No key of the index.
        in_europe().and_key(Match::id().eq(1)),
    ] {
        let error = query.collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
}

#[tokio::test]
async fn a_query_resumes_at_a_cursor_that_has_every_key() {
    let local = start().await;
    let _default = local.profile("default").awsenv();
    let query = || {
        let query = ByTournament::query("WINTER").and_key(Match::region().eq("EU"));
        query.page_size(1)
    };
    for position in 0..=3 {
        let mut items = query().stream();
        let mut found = Vec::new();
        while found.len() < position {
            found.push(items.try_next().await.unwrap().unwrap());
        }
        let cursor = items.cursor().await.unwrap();
        found.extend(query().resume(cursor).collect().await.unwrap());
        assert_eq!(ids(&found), [3, 2, 1], "at {position}");
    }
}

#[tokio::test]
async fn an_index_of_several_keys_is_created_added_removed_and_copied() {
    let local = start().await;
    let (default, staging) = (local.profile("default"), local.profile("staging"));
    let changed = async {
        ByTournament::delete_index().wait().await.unwrap();
        ByTournament::create_index().wait().await.unwrap();
        // It is the same index.
        ByTournament::create_index().await.unwrap();
        Match::create_table().wait().await.unwrap();
    };
    default.scope(changed).await;
    copy_table(&default, &staging, "matches")
        .create_target(true)
        .await
        .unwrap();
    for account in [default, staging] {
        let query = ByTournament::query("WINTER")
            .and_key(Match::region().eq("EU"))
            .range_eq(1)
            .and_key(Match::bracket().eq("LOWER"));
        let found = account.scope(query.collect()).await.unwrap();
        assert_eq!(ids(&found), [3]);
    }
}
