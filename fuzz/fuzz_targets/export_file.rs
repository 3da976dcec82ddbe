#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bsm_dynamodb::fuzz::export_file(input));
