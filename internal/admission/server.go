package admission

import "context"

// server is one Redis, real or in memory. Each method is one script: it judges by the epoch key
// and the server's identity first, and changes nothing when they are not the ones expected. An
// error means that nothing is known: the script ran or not. All of them may be sent again.
type server interface {
	asker
	writer
	// begin looks; with a head ("<number> <nonce> ") it also begins that epoch, if the key
	// still holds expect. It returns what the key holds afterwards.
	begin(ctx context.Context, expect, head string, partitions int32) (sight, error)
	close() error
}

// asker is what workers want of a server.
type asker interface {
	// admit judges b and fills its answers; ok is false when it judged nothing.
	admit(ctx context.Context, e epoch, b *batch) (ok bool, err error)
	// release gives back and says how much was there to be given.
	release(ctx context.Context, rs []release) (int64, error)
}

// writer is what a rebuild wants of it.
type writer interface {
	// claims and shares write a page of facts, or nothing when ok is false; met are the holders
	// that claims ran into.
	claims(ctx context.Context, e epoch, page *page) (met string, ok bool, err error)
	shares(ctx context.Context, e epoch, page *page) (ok bool, err error)
	// mark notes that p is rebuilt in e, if e is still the epoch, and returns what the key holds.
	mark(ctx context.Context, e epoch, p int32) (sight, error)
}

// page is a part of a rebuild: keys with their values.
type page struct {
	arena  []byte
	keys   []string
	values []string
}

// pageMax bounds the entries of a page, pageBytes what one of them can need.
const (
	pageMax   = 1000
	pageBytes = claimMax + keyIDsMax
)

func (p *page) reset(prefix int) {
	if p.arena == nil {
		p.arena = make([]byte, 0, pageMax*(pageBytes+prefix))
	}
	p.arena, p.keys, p.values = p.arena[:0], p.keys[:0], p.values[:0]
}

func (p *page) full() bool { return len(p.keys) == pageMax }

// release is a Release ready to be sent: share tells which kind of key it is, id what is compared.
type release struct {
	partition int32 // that gives it back
	share     bool
	key, id   string
}

// add appends one entry. The arena never grows: its strings must stay where they are.
func (p *page) add(key, value func([]byte) []byte) {
	start := len(p.arena)
	p.arena = key(p.arena)
	middle := len(p.arena)
	p.arena = value(p.arena)
	p.keys = append(p.keys, text(p.arena[start:middle]))
	p.values = append(p.values, text(p.arena[middle:]))
}
