//! A process default that is installed; one process, hence one test.

use std::any::TypeId;

use bsm_core::{BotoSesManager, ErrorKind, adapter, install_default};

struct User;

#[test]
fn the_first_installed_default_stays_and_every_override_beats_it() {
    install_default(BotoSesManager::from_profile("home")).unwrap();
    let refused = install_default(BotoSesManager::from_profile("other")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::DefaultAlreadyInstalled);
    assert_eq!(seen(), ["home", "home"]);
    assert_eq!(std::thread::spawn(seen).join().unwrap(), ["home", "home"]);

    let staging = BotoSesManager::from_profile("staging");
    assert_eq!(staging.sync_scope(seen), ["staging", "staging"]);

    let user = TypeId::of::<User>();
    adapter::bind_model(user, &BotoSesManager::from_profile("bound"));
    assert_eq!(seen(), ["home", "bound"]);
    assert_eq!(staging.sync_scope(seen), ["staging", "staging"]);
    {
        let _env = adapter::awsenv_for(&staging, &[user]);
        assert_eq!(seen(), ["home", "staging"]);
    }
    adapter::fix_model(user, &BotoSesManager::from_profile("fixed"));
    assert_eq!(seen(), ["home", "fixed"]);
    assert_eq!(staging.sync_scope(seen), ["staging", "fixed"]);
    {
        let _env = adapter::awsenv_for(&staging, &[user]);
        assert_eq!(seen(), ["home", "staging"]);
    }
    adapter::unfix_model(user);
    assert_eq!(seen(), ["home", "bound"]);
    adapter::unbind_model(user);
    assert_eq!(seen(), ["home", "home"]);
}

fn seen() -> [String; 2] {
    [
        BotoSesManager::current(),
        BotoSesManager::current_for::<User>().into_manager(),
    ]
    .map(|manager| manager.profile_name().unwrap_or_default().to_owned())
}
