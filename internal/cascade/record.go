package cascade

import (
	"errors"
	"fmt"
	"slices"

	"hongbao/schemas"
)

// Header is one Kafka header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of invite.events to be sent. The Record and its Headers are reused
// by the next one; Key, Value and the header values are the receiver's to keep.
type Record struct {
	Key       []byte // chain id in ASCII decimal; nil where a missing key is meant
	Value     []byte
	Headers   []Header
	Partition int32 // where it is to be sent; not that of its key where a misrouted record is meant
	TimeMS    int64 // when it is sent in the time of the stream; never decreases (K2)
}

// Format is how values are written.
type Format uint8

// Formats. Structured is CloudEvents' structured JSON mode, which has no headers.
const (
	Protobuf Format = iota
	JSON
	Structured
)

// Config says for which campaign and topic records are made.
type Config struct {
	Campaign   int64             // default 1
	Keys       *schemas.CodeKeys // mint the codes; required
	CodeEndS   int64             // Unix seconds at which codes expire, the campaign's end; required
	NowMS      int64             // Unix milliseconds; the stream ends here; required
	Partitions int32             // of invite.events; default 16
	Format     Format
	Trace      bool   // give every record a traceparent
	Source     string // ce_source; each maker of records has its own default
}

// Validate fills the defaults and refuses what cannot work.
func (c *Config) Validate() error {
	if c.Campaign == 0 {
		c.Campaign = 1
	}
	if c.Partitions == 0 {
		c.Partitions = 16
	}
	switch {
	case c.Campaign < 0:
		return fmt.Errorf("cascades: campaign %d: an id is 1..2^63-1", c.Campaign)
	case c.Partitions < 0:
		return fmt.Errorf("cascades: partitions %d: invite.events has at least one", c.Partitions)
	case c.Keys == nil:
		return errors.New("cascades: no code keys: every share and join carries a signed code")
	case c.Keys.Demo() && c.Campaign != schemas.DemoCampaignID:
		return fmt.Errorf("cascades: campaign %d: the published demo key is good for campaign %d alone; give --code-keys", c.Campaign, schemas.DemoCampaignID)
	case c.NowMS <= 0:
		return fmt.Errorf("cascades: now %d ms: the stream must end at a time after 1970", c.NowMS)
	case c.CodeEndS*1000 <= c.NowMS:
		return fmt.Errorf("cascades: codes expire at %d s, not after now (%d ms): every join would be EXPIRED_CODE", c.CodeEndS, c.NowMS)
	case c.Format > Structured:
		return fmt.Errorf("cascades: format %d: there are Protobuf, JSON and Structured", c.Format)
	case len(c.Source) > 64:
		return fmt.Errorf("cascades: source %q: at most 64 bytes", c.Source)
	}
	return nil
}

// arenaChunkBytes is large enough for about a thousand records, so that allocating one
// costs nothing per record, and small enough that a kept record pins little.
const arenaChunkBytes = 256 << 10

// maxRecordRoom bounds any part of a record of ours.
const maxRecordRoom = 1536

// arena cuts byte slices from chunks that are never reused: who got a slice keeps it.
type arena struct{ chunk []byte }

// room is an empty slice with capacity for at least maxRecordRoom bytes.
func (a *arena) room() []byte {
	if cap(a.chunk)-len(a.chunk) < maxRecordRoom {
		a.chunk = make([]byte, 0, arenaChunkBytes)
	}
	return a.chunk[len(a.chunk):]
}

// keep closes a slice that was begun with room. One that outgrew its room has memory of its own.
func (a *arena) keep(b []byte) []byte {
	if used := len(a.chunk) + len(b); used <= cap(a.chunk) {
		a.chunk = a.chunk[:used]
	}
	return slices.Clip(b)
}
