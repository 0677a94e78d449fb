package admission

import "errors"

// op is one encoded ask. Its strings live in the arena of its call.
type op struct {
	want      Want
	hash      uint32 // of the claim's key
	shareHash uint32 // of user and bucket
	claimKey  string
	value     string
	shareKey  string
	field     string
	shareID   string
	known     string
	next      *op // in its group
	answer    Answer
}

// span is the part of a call that travels in a batch.
type span struct {
	call *call
	n    int
}

// batch is what one round trip carries. fast are asks for a claim alone, each for another key,
// so that one MSETNX can grant them all; shares are asks for a share alone, each of another user and bucket, group by
// group, so that two commands can grant a hash full of them; rest keeps the order of all others: those that bring known
// ids, those that want both, and every ask whose claim, or user and bucket, came up before in the batch.
type batch struct {
	spans  []span
	fast   []*op
	shares []*op
	groups []group
	rest   []*op
	claims table
	users  table
	limit  Limit
}

// group is the shares that lie in one hash.
type group struct {
	first, last *op
	n           int
}

// table is open addressing over the asks of a batch, at most half full.
type table [tableSize]*op

const tableSize = 2 * batchMax

func newBatch(limit Limit) *batch { return &batch{limit: limit} }

func (b *batch) size() int { return len(b.fast) + len(b.shares) + len(b.rest) }

// sort fills fast, shares and rest from spans.
func (b *batch) sort() {
	b.fast, b.shares, b.groups, b.rest = b.fast[:0], b.shares[:0], b.groups[:0], b.rest[:0]
	clear(b.claims[:])
	clear(b.users[:])
	for _, s := range b.spans {
		ops := s.call.ops[s.call.done : s.call.done+s.n]
		for i := range ops {
			o := &ops[i]
			o.answer, o.next = Answer{}, nil
			if o.want != 0 {
				b.place(o)
			}
		}
	}
	for _, g := range b.groups {
		for o := g.first; o != nil; o = o.next {
			b.shares = append(b.shares, o)
		}
	}
}

// place: MSETNX would grant the same key twice, and an ask must not overtake an earlier one for the same user.
func (b *batch) place(o *op) {
	first := true
	if o.want&WantClaim != 0 {
		first = b.claims.add(o, o.hash, func(other *op) bool { return other.claimKey == o.claimKey })
	}
	if o.want&WantShare != 0 {
		first = b.users.add(o, o.shareHash, func(other *op) bool { return other.field == o.field && other.shareKey == o.shareKey }) && first
	}
	switch {
	case first && o.want == WantClaim:
		b.fast = append(b.fast, o)
	case first && o.want == WantShare && o.known == "":
		b.group(o)
	default:
		b.rest = append(b.rest, o)
	}
}

// add says whether o's key was not in the table yet.
func (t *table) add(o *op, hash uint32, same func(*op) bool) bool {
	for i := hash; ; i++ {
		slot := &t[i%tableSize]
		if *slot == nil {
			*slot = o
			return true
		}
		if same(*slot) {
			return false
		}
	}
}

// group joins o to the shares of its hash; a batch has those of a bucket or two.
func (b *batch) group(o *op) {
	for i := range b.groups {
		if g := &b.groups[i]; g.first.shareKey == o.shareKey {
			g.last.next, g.last = o, o
			g.n++
			return
		}
	}
	b.groups = append(b.groups, group{first: o, last: o, n: 1})
}

// at is ask i of the batch, in the order in which the script numbers them.
func (b *batch) at(i int) *op {
	if i < len(b.fast) {
		return b.fast[i]
	}
	if i -= len(b.fast); i < len(b.shares) {
		return b.shares[i]
	}
	return b.rest[i-len(b.shares)]
}

var errReply = errors.New("admission: Redis answered a script with something that is no answer of it")

// grant says yes to everything that is wanted.
func (b *batch) grant() {
	for _, o := range b.fast {
		o.answer.Claim = Yes
	}
	for _, o := range b.shares {
		o.answer.Share = Yes
	}
	for _, o := range b.rest {
		if o.want&WantShare != 0 {
			o.answer.Share = Yes
		}
		if o.want&WantClaim != 0 {
			o.answer.Claim = Yes
		}
	}
}

// answer fills the answers in from a reply of admit.lua: all yes, but for those named.
func (b *batch) answer(reply string) error {
	b.grant()
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
