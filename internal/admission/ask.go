package admission

// EventID is a hash of an event's identity (domain.md section 2), made by whoever asks; the
// same event always has the same one. Redis keeps its first 8 bytes: ids are only ever compared
// within one claim, beside partition and offset, or within one bucket of a few shares, beside the offset of who asked last. The zero
// EventID means "unknown" and is allowed in a Claim only.
type EventID [16]byte

// Want says what an ask is about; the bits may be combined.
type Want uint8

// WantClaim asks for the claim (campaign, user) -> chain, WantShare for a place in the user's
// share bucket.
const (
	WantClaim Want = 1 << iota
	WantShare
)

// Ask is one question of a worker about one event of its partition.
type Ask struct {
	Want        Want
	Campaign    int64
	User        int64 // the invitee of a join, the sharer of a share
	Chain       int64
	Offset      int64 // of the event on invite.events[p]
	Event       EventID
	EventTimeMS int64 // Unix milliseconds; names the bucket of a share
	// Known are the shares that state already accepted in the bucket. Given when Limit.Old says
	// that Redis may have forgotten it; read during Admit only, never kept.
	Known []EventID
}

// Verdict is Redis's word on one half of an ask.
type Verdict uint8

// NotAsked is also the claim's verdict in an ask for both whose share was refused.
const (
	NotAsked Verdict = iota
	Yes
	No
)

// Answer answers one Ask. Share Yes with Claim No means that the limit had room and the share
// was given back: it uses nothing up.
type Answer struct {
	Claim  Verdict
	Share  Verdict
	Holder Holder // who has the claim, when Claim is No
}

// Holder names the event that holds a claim. Event is the stored part of its EventID, zero when
// the claim was rebuilt from a fact without one (then Offset is zero too).
type Holder struct {
	Chain     int64
	Partition int32
	Offset    int64
	Event     [8]byte
}

// Release gives back what the event at Offset was granted, after the fact that refuses it is
// committed (X10). It is compared with the event: what another event holds stays. Releasing
// twice, or what was never granted, does nothing.
type Release struct {
	Want        Want
	Campaign    int64
	User        int64
	Offset      int64
	Event       EventID
	EventTimeMS int64 // of a share
}

// Limit is the share limit: at most Count accepted shares per user and window of event time
// (domain.md section 4).
type Limit struct {
	Count    int   // default 5
	WindowMS int64 // milliseconds, default one hour
}

// Bucket is the window that an event time falls into.
func (l Limit) Bucket(eventTimeMS int64) int64 { return eventTimeMS / l.WindowMS }

// Old says whether the bucket of eventTimeMS began a day or more before nowMS, so that Redis may
// have let it expire: an ask for it must carry the Known ids. The day is counted from the
// bucket's begin, not from the event: that leaves 55 minutes between the first bucket called old
// and the first that can have expired (25 h after a write that is at most 5 minutes early).
func (l Limit) Old(eventTimeMS, nowMS int64) bool {
	return l.Bucket(eventTimeMS)*l.WindowMS <= nowMS-bucketDayMS
}

const (
	bucketDayMS    = 24 * 60 * 60 * 1000
	bucketExpiryMS = 25 * 60 * 60 * 1000
)
