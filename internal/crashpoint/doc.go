// Package crashpoint marks the places before and after every durable action: a write to Pebble, a request that Kafka or Redis
// remembers, a message that somebody acts on. A build with the tag crashpoints can be told to kill itself by SIGKILL at the nth time
// that it comes to one of them; scripts/crash does so to each. A release build has empty functions here, which the compiler inlines to
// nothing: not even the labels are in it (TestReleaseHasNoLabel).
//
//	K1  A label stands on one line of code, is a constant, and is listed in Labels with the action that it is about.
//	K2  No label stands in a loop over the events of a step.
//	K3  What a kill met is told by the process itself, in the line that it appends to HONGBAO_CRASH_LOG just before: transactions that
//	    the broker holds open for it and coupons that are open in its state. A kill that met neither proves little.
//
// HONGBAO_CRASH names label and count: "publish.commit.before:3". HONGBAO_CRASH_ARM names a file without which no passing counts.
package crashpoint
