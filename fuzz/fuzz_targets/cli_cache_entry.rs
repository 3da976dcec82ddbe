#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bsm_core::fuzz::cli_cache_entry(input));
