// Command crash kills hongbao with SIGKILL at every label of internal/crashpoint, many times, under load, and sees that nothing is lost:
// the instance moves again, and at the end `hongbao verify` finds every check kept.
//
//	crash -binary bin/hongbao-crash [-per-label 25] [-parallel 4] [-takeovers]
//
// A site is a Kafka, a Redis, one instance that is killed (two in a third of the sites, one of which is killed) and a load that makes every
// path run. Without HONGBAO_TEST_BROKERS and HONGBAO_TEST_REDIS each site has an embedded broker and Redis of its own, in a process of
// their own that is never killed; with them all sites share the real ones, each under a prefix.
//
//	queue of kills ──► site: prepare, start with HONGBAO_CRASH=label:n, wait ──► killed ──► next
//	                    load, watch of the fact log, proxy before Redis          (at the end: drain, verify)
//
// A kill counts only if it met an open transaction or a coupon in flight. The killed process says so itself, in a line that it appends to
// a file just before (crashpoint K3). One that was killed before it had committed anything has taken nothing from what the kill
// before it had met, so it counts if that one did.
//
// The run fails if a label was killed fewer times than asked for, if verify was not content at a site, or if an instance ended by itself.
package main
