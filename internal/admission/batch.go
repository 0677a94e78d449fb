package admission

import "errors"

// op is one encoded ask. Its strings live in the arena of its call.
type op struct {
	want     Want
	hash     uint32 // of the claim's key
	claimKey string
	value    string
	shareKey string
	shareID  string
	known    string
	answer   Answer
}

// span is the part of a call that travels in a batch.
type span struct {
	call *call
	n    int
}

// batch is what one round trip carries. fast are asks for a claim alone, each for another key,
// so that one MSETNX can grant them all; rest keeps the order of all others: shares, and every
// ask whose claim key came up before in the batch.
type batch struct {
	spans []span
	fast  []*op
	rest  []*op
	table []*op // open addressing by claim key
	limit Limit
}

// tableSize keeps the table at most half full.
const tableSize = 4096

func newBatch(limit Limit) *batch {
	return &batch{table: make([]*op, tableSize), limit: limit}
}

func (b *batch) size() int { return len(b.fast) + len(b.rest) }

// sort fills fast and rest from spans.
func (b *batch) sort() {
	b.fast, b.rest = b.fast[:0], b.rest[:0]
	clear(b.table)
	for _, s := range b.spans {
		ops := s.call.ops[s.call.done : s.call.done+s.n]
		for i := range ops {
			o := &ops[i]
			o.answer = Answer{}
			if o.want == 0 {
				continue
			}
			first := o.want&WantClaim == 0 || b.first(o)
			if first && o.want == WantClaim {
				b.fast = append(b.fast, o)
			} else {
				b.rest = append(b.rest, o)
			}
		}
	}
}

// first says whether o's claim key was not in the batch yet. MSETNX would grant the same key
// twice, and an ask must not overtake an earlier one for the same user.
func (b *batch) first(o *op) bool {
	for i := o.hash; ; i++ {
		slot := &b.table[i%tableSize]
		if *slot == nil {
			*slot = o
			return true
		}
		if (*slot).claimKey == o.claimKey {
			return false
		}
	}
}

func (b *batch) at(i int) *op {
	if i < len(b.fast) {
		return b.fast[i]
	}
	return b.rest[i-len(b.fast)]
}

var errReply = errors.New("admission: Redis answered a script with something that is no answer of it")

// answer fills the answers in from a reply of admit.lua: all yes, but for those named.
func (b *batch) answer(reply string) error {
	for _, o := range b.fast {
		o.answer.Claim = Yes
	}
	for _, o := range b.rest {
		if o.want&WantShare != 0 {
			o.answer.Share = Yes
		}
		if o.want&WantClaim != 0 {
			o.answer.Claim = Yes
		}
	}
	return eachRefusal(reply, b.size(), func(i int, what byte, value string) error {
		o := b.at(i)
		if what == 's' {
			o.answer = Answer{Share: No}
			return nil
		}
		h, ok := parseHolder(value)
		if !ok {
			return errReply
		}
		o.answer.Claim, o.answer.Holder = No, h
		return nil
	})
}

// eachRefusal reads "index (2 bytes), kind, length, value" again and again.
func eachRefusal(reply string, n int, fn func(i int, what byte, value string) error) error {
	for reply != "" {
		if len(reply) < 4 || len(reply) < 4+int(reply[3]) {
			return errReply
		}
		i, size := int(reply[0])<<8|int(reply[1]), int(reply[3])
		if i >= n {
			return errReply
		}
		if err := fn(i, reply[2], reply[4:4+size]); err != nil {
			return err
		}
		reply = reply[4+size:]
	}
	return nil
}
