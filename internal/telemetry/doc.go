// Package telemetry tells people and machines how an instance is: log lines, metrics,
// health and readiness, and the HTTP server on loopback that serves them.
//
// What lives here: the form of all four. What must never: an opinion on when a partition
// is well; rooms register checks and collectors that know.
//
//	room --Register--> Checks --\
//	                             Server: /healthz /readyz /metrics   + Handle(...) of other rooms
//	room --Collector-> Registry -/
//
// Invariants:
//
//  1. No globals: logger, registry and checks are made once and passed in.
//  2. The server listens on loopback only: it serves commands of other rooms too and
//     has no authentication.
//  3. A finding names the rule, what was expected, what was found and what to do, and the
//     partition if it is about one.
//  4. /healthz answers 503 only for a finding that ends the process's use. A stopped partition
//     is reported there under 200 as "degraded": an orchestrator restarts on 503, and a
//     partition that must stop stops alone, never its neighbours. /readyz answers 503 for any.
//  5. Metric names begin with hongbao_ and end in their unit (_seconds, _bytes, _total for
//     counters); labels are bounded: partition, topic, lane, reason, state, never an id.
package telemetry
