// Package admin is the HTTP API by which people and tools on the same machine ask a running instance and give it commands.
// It is served by the one server that also has health and metrics, on loopback; Client asks it.
//
// What lives here: routes, JSON, refusals. What must never: a look at a partition; Instance does that.
//
//	GET  /v1/status                       Status
//	GET  /v1/partitions                   []Partition, in order
//	GET  /v1/partitions/{p}               Partition
//	GET  /v1/partitions/{p}/state-hash    StateHash, from a snapshot
//	POST /v1/partitions/{p}/swap          stop p, take DATA/shadow in its place, X5
//	POST /v1/drain                        finish, publish, leave the group, end: as SIGTERM
//
// Invariants, by number:
//
//	A1  Loopback only, and only for callers that mean it: a request that names another host, as a web page's may under a forged
//	    name, or that comes from a page (Origin), is refused; a command is JSON by content type.
//	A2  An answer that is no 2xx is a Refusal: a sentence, and for a partition owned elsewhere the owner and its address.
//	A3  Reads come from snapshots and wait for no worker.
//	A4  A swap takes what lies in the instance's own data directory, never a path from the caller.
package admin
