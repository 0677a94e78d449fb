// Package schemas is the contract between hongbao, the services around it and itself a year later:
// the Protobuf messages and their generated code (invitepb), the hand-written codecs of the hot
// ones, invite codes, campaign files, and the formulas that others must compute alike. Every other
// room imports it; it imports none, and knows neither Kafka, Redis, disk nor clock.
//
//	record of invite.events -> Decoder -> Event -> CodeVerifier -> (decide) -> Fact -> AppendFact -> hongbao.facts
//	                              |                                               \
//	                           *Poison -> invite.dead                     Command -> AppendCommand -> coupon.commands
//
// Invariants:
//
//	S1 A decoder answers any bytes with a value or a *Poison (reason and sentence), never with a
//	   panic, and in time proportional to the bytes. Fuzz tests hold each to it.
//	S2 On the hot path (decode, verify, encode, hash) nothing is allocated, and decoded slices alias
//	   the record: they live as long as it does. TestHotPathAllocatesNothing holds it.
//	S3 The hand-written codecs read and write what the generated code does, byte for byte; only
//	   StepEnded's hash is written last, where the generated code writes a oneof last. Property
//	   tests hold it in both directions.
//	S4 No 64-bit number passes through a float64, and nothing that names an event, a user or a code
//	   has two readings: JSON members and ce_ headers given twice, half surrogates, digits and a code's
//	   varints that are not the shortest are refused.
//	S5 Numbers of fields and reasons are never used again: facts are kept for ever. buf breaking
//	   holds it against the committed image hongbao.binpb.
//	S6 A sentence names the value, shortened, and the rule; of a key file it names no value.
//
// Formulas, each with vectors for other languages in testdata/schemas:
//
//	invite code    Crockford base32 (crockford.com/base32.html; no padding, no check symbol, spare bits
//	               zero; lower case, O, I and L are read) of: version 1 | key id | uvarints campaign, chain,
//	               inviter, expiry in Unix seconds | the first 10 bytes of HMAC-SHA-256 (RFC 2104) under
//	               the key over all before it. Uvarints are Protobuf's (base 128, low group first).
//	partition      (murmur2(key) & 0x7fffffff) % partitions, murmur2 as in Kafka's
//	               org.apache.kafka.common.utils.Utils; a chain's key is its id in ASCII decimal.
//	coupon id      the first 16 bytes of SHA-256 over campaign, rule id, beneficiary and trigger, each
//	               preceded by its length as uvarint, integers in ASCII decimal; trigger = J:invitee,
//	               D:inviter:m, P:order_id or C:command_id.
//	step hash      XXH3, 128 bits, seed 0, big-endian (github.com/Cyan4973/xxHash), over the previous
//	               step's 16 bytes (zero before the first), then of each fact its length as uvarint and
//	               its value, StepEnded last and without its hash field.
//	traceparent    W3C Trace Context (www.w3.org/TR/trace-context): an invalid one is left out.
//	CloudEvents    1.0 and its Kafka binding, binary mode by ce_ headers, Protobuf or JSON by
//	               content-type; else structured mode, a JSON object.
//	JSON           the proto field names; 64-bit integers as numbers or strings.
//
// The MAC of a command is between hongbao and itself: command_mac.go.
//
// To change a message: edit proto/, then `make proto`, which is `go generate ./schemas`; it needs
// buf (v1.75.0) and protoc-gen-go (v1.36.12) in PATH. It lints, refuses a breaking change,
// generates, and writes the image that the next change is compared with.
package schemas

//go:generate buf lint
//go:generate buf breaking --against hongbao.binpb
//go:generate buf generate
//go:generate buf build --exclude-source-info -o hongbao.binpb
