// Command hongbao runs viral invite campaigns on Kafka; see README.md.
//
// What lives here: parsing, wiring and printing; one file per command, each with one
// newXxxCommand(*app) that root.go lists. What must never: a decision about an event or
// a coupon.
//
// Invariants:
//
//  1. main only collects what the process was given; run is a function that tests call.
//  2. Every setting has one place: a field of Config. A key a_b of the configuration file is
//     the flag --a-b and the variable HONGBAO_A_B; a flag beats the environment, which
//     beats the file, which beats the default.
//  3. A secret comes from the environment alone.
//  4. A refusal says which setting, where it came from, its value and the rule.
//  5. What a command answers goes to standard output, as text or, with --json, as one JSON
//     value whose names are a contract; everything else goes to standard error.
//  6. Exit codes: 0 done; 1 the command failed or found something; 2 it was called wrongly.
package main
