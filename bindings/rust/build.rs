// SPDX-License-Identifier: MIT
// Asks pkg-config where the library is.
use std::process::Command;

fn main() {
    let out = Command::new("pkg-config")
        .args(["--libs", "macrohard"])
        .output()
        .expect("pkg-config cannot be run");
    assert!(out.status.success(), "pkg-config does not know macrohard");
    for flag in String::from_utf8(out.stdout).unwrap().split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(name) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={name}");
        }
    }
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
}
