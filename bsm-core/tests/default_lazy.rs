//! The process default where none was installed; one process, hence one test.

use bsm_core::{BotoSesManager, install_default};

struct User;

#[test]
fn the_default_chain_is_the_default_until_one_is_installed() {
    let lazy = BotoSesManager::current();
    assert_eq!(lazy.to_string(), BotoSesManager::new().to_string());
    let binding = BotoSesManager::current_for::<User>();
    assert_eq!(binding.manager().to_string(), lazy.to_string());
    assert!(!binding.is_specific());

    let staging = BotoSesManager::from_profile("staging");
    staging.sync_scope(|| {
        assert_eq!(BotoSesManager::current().profile_name(), Some("staging"));
    });
    assert_eq!(BotoSesManager::current().to_string(), lazy.to_string());

    install_default(BotoSesManager::from_profile("late")).unwrap();
    assert_eq!(BotoSesManager::current().profile_name(), Some("late"));
}
