package eventstore

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hongbao/schemas"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay the model tests with this seed alone")
	seedsFlag = flag.Uint64("seeds", 6, "how many seeds the model tests play")
)

// seeds are those to play, printed by the tests that fail.
func seeds() []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	out := make([]uint64, *seedsFlag)
	for i := range out {
		out[i] = uint64(i) + 1
	}
	return out
}

// version is the naive model: a partition as maps and slices.
type version struct {
	n       int // unique; every batch of the test writes it under versionKey
	last    Boundary
	nodes   int64
	keys    map[string]string
	bounds  map[int64]schemas.Hash
	entries []modelEntry
	gone    int64 // entries up to here may have been deleted
	low     int64 // boundaries below may have been
}

type modelEntry struct {
	seq, prev int64
	text      string
}

const (
	versionKey = "version"
	keyCount   = 40
)

func (v *version) clone() *version {
	c := *v
	c.keys, c.bounds, c.entries = maps.Clone(v.keys), maps.Clone(v.bounds), slices.Clone(v.entries)
	return &c
}

// player drives a partition and its model with random calls.
type player struct {
	t         *testing.T
	rng       *rand.Rand
	cfg       Config
	store     *Store
	p         *Partition
	now       *version
	versions  int
	valueMax  int  // bytes of a value
	history   byte // changes when facts take another way, so that a seq has another hash
	published int64
	marks     []mark
	kept      map[mark][]*version // what a checkpoint of that name may hold: the last one taken, the ones before in older crash images
	committed int64               // of the last Checkpoint
	low       int64               // boundaries below may be deleted from now on
	snapshots map[*Snapshot]*version
	mu        sync.Mutex // of kept: a fault is judged while the player may go on

	failed func(error) // an error that no call should give

	// The crash test listens to what becomes possible and what becomes durable.
	started func(*version)
	durable func()
}

func newPlayer(t *testing.T, seed uint64, cfg Config) *player {
	return &player{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), cfg: cfg, valueMax: 2000, history: 'a',
		now:  &version{keys: map[string]string{}, bounds: map[int64]schemas.Hash{}},
		kept: map[mark][]*version{}, snapshots: map[*Snapshot]*version{},
		started: func(*version) {}, durable: func() {}, failed: func(err error) { t.Helper(); t.Fatal(err) },
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			cfg := onMem(t, vfs.NewMem())
			cfg.MemTableBytes = 1 // the least there is: flushes and compactions join in
			pl := newPlayer(t, seed, cfg)
			pl.open()
			for i := range 400 {
				pl.step()
				if i%3 == 0 {
					pl.check()
				}
			}
			pl.check()
			pl.close()
		})
	}
}

func (pl *player) open() {
	var err error
	if pl.store == nil {
		pl.store, err = Open(pl.cfg)
		pl.must(err)
	}
	pl.p, err = pl.store.Partition(2)
	pl.must(err)
	pl.published, pl.low = 0, 0
}

func (pl *player) close() {
	pl.must(pl.store.Close())
	pl.store = nil
	pl.snapshots = map[*Snapshot]*version{}
	pl.durable()
}

func (pl *player) must(err error) {
	pl.t.Helper()
	if err != nil {
		pl.failed(err)
	}
}

// step is one random call.
func (pl *player) step() {
	switch n := pl.rng.IntN(200); {
	case n < 140:
		pl.commit()
	case n < 146:
		pl.nodes()
	case n < 150:
		pl.restore()
	case n < 168:
		pl.publish()
	case n < 182:
		pl.checkpoint()
	case n < 185:
		pl.rollback()
	case n < 186:
		pl.reset()
	case n < 188:
		pl.must(pl.p.Close())
		pl.snapshots = map[*Snapshot]*version{}
		pl.durable()
		pl.open()
	case n < 190:
		pl.close()
		pl.open()
	default:
		pl.snapshot()
	}
}

// change fills a batch with random sets and deletes.
func (pl *player) change(b *Batch, v *version) {
	for range pl.rng.IntN(8) {
		key := fmt.Sprint("k", pl.rng.IntN(keyCount))
		if pl.rng.IntN(4) == 0 {
			b.Delete(0x40, []byte(key))
			delete(v.keys, key)
			continue
		}
		value := make([]byte, pl.rng.IntN(pl.valueMax))
		for i := range value {
			value[i] = byte('a' + pl.rng.IntN(26))
		}
		b.Set(0x40, []byte(key), value)
		v.keys[key] = string(value)
	}
	pl.versions++
	v.n = pl.versions
	v.gone = max(v.gone, min(pl.published, v.nodes))
	v.low = max(v.low, pl.low)
	b.Set(0x41, []byte(versionKey), fmt.Append(nil, v.n))
}

func (v *version) end(at Boundary) {
	v.last = at
	v.bounds[at.Seq] = at.Hash
}

func (pl *player) commit() {
	v, nodes := pl.now.clone(), pl.rng.IntN(5) == 0
	b := pl.p.Begin()
	pl.change(b, v)
	at := boundaryOf(pl.history, v.last.Seq+1+pl.rng.Int64N(9))
	entry := fmt.Sprint("entry ", at.Seq, " of ", string(pl.history))
	v.entries = append(v.entries, modelEntry{at.Seq, v.last.Seq, entry})
	v.end(at)
	if nodes {
		v.nodes = at.Seq
	}
	pl.started(v)
	pl.must(b.Commit(at, []byte(entry), nodes))
	pl.now = v
	if pl.cfg.Sync == SyncStep {
		pl.durable()
	}
}

func (pl *player) nodes() {
	if pl.now.last.Seq == 0 {
		return
	}
	v := pl.now.clone()
	b := pl.p.Begin()
	pl.change(b, v)
	v.nodes = v.last.Seq
	pl.started(v)
	pl.must(b.CommitNodes())
	pl.now = v
}

func (pl *player) restore() {
	v := pl.now.clone()
	b := pl.p.Begin()
	pl.change(b, v)
	for range 1 + pl.rng.IntN(4) {
		at := boundaryOf(pl.history, v.last.Seq+1+pl.rng.Int64N(9))
		b.Boundary(at)
		v.end(at)
	}
	v.nodes, v.entries, v.gone = v.last.Seq, nil, v.last.Seq
	pl.started(v)
	pl.must(b.CommitRestored())
	pl.now = v
}

// someBoundary is a random boundary of the live history.
func (pl *player) someBoundary() int64 {
	seqs := slices.Sorted(maps.Keys(pl.now.bounds))
	if len(seqs) == 0 {
		return 0
	}
	return seqs[pl.rng.IntN(len(seqs))]
}

func (pl *player) publish() {
	pl.published = max(pl.published, pl.someBoundary())
	pl.p.Published(pl.published)
}

func (pl *player) checkpoint() {
	pl.committed = max(pl.committed, pl.someBoundary())
	at := mark{pl.now.last.Seq, pl.now.last.Hash}
	pl.marks = slices.DeleteFunc(pl.marks, func(m mark) bool { return pl.now.bounds[m.Seq] != m.Hash })
	taken := at.Seq > 0 && !slices.Contains(pl.marks, at)
	if taken {
		pl.marks = append(pl.marks, at)
		pl.mu.Lock()
		pl.kept[at] = append(pl.kept[at], pl.now)
		pl.mu.Unlock()
	}
	pl.must(pl.p.Checkpoint(pl.committed))
	if taken {
		pl.durable()
	}
	for len(pl.marks) > 2 && pl.marks[2].Seq <= pl.committed {
		pl.marks = pl.marks[1:]
	}
	if len(pl.marks) > 0 && pl.marks[0].Seq <= pl.committed {
		pl.low = pl.marks[0].Seq
	}
}

// moved is what a Rollback or Reset leaves behind.
func (pl *player) moved(v *version) {
	pl.now = v
	pl.history++
	if pl.history > 'z' {
		pl.history = 'A'
	}
	pl.published, pl.committed, pl.low = 0, 0, 0
	pl.snapshots = map[*Snapshot]*version{}
	pl.durable()
}

func (pl *player) rollback() {
	to := pl.rng.Int64N(pl.now.last.Seq + 10)
	refuse := pl.rng.IntN(3) == 0 // facts know none of them
	want := mark{}
	for _, m := range slices.Backward(pl.marks) {
		if m.Seq <= to && !refuse {
			want = m
			break
		}
	}
	if want.Seq > 0 {
		pl.started(last(pl.kept[want]))
	}
	found, err := pl.p.Rollback(to, func(int64, schemas.Hash) (bool, error) { return !refuse, nil })
	pl.must(err)
	if found != (want.Seq > 0) {
		pl.t.Fatalf("rollback to %d: found %v, the model has %v", to, found, want)
	}
	pl.marks = slices.DeleteFunc(pl.marks, func(m mark) bool { return m.Seq > want.Seq })
	if found {
		pl.moved(last(pl.kept[want]))
	}
}

func last(of []*version) *version { return of[len(of)-1] }

func (pl *player) reset() {
	v := &version{keys: map[string]string{}, bounds: map[int64]schemas.Hash{}}
	pl.started(v)
	pl.must(pl.p.Reset())
	pl.moved(v)
}

// snapshot takes one, or gives one back; all must still show what they showed.
func (pl *player) snapshot() {
	for s, v := range pl.snapshots {
		if s.Last() != v.last || s.NodesSeq() != v.nodes {
			pl.t.Fatalf("snapshot at %d, nodes %d, of a model at %d, %d", s.Last().Seq, s.NodesSeq(), v.last.Seq, v.nodes)
		}
		compareKeys(pl.t, s.Scan, v)
	}
	if pl.rng.IntN(3) > 0 {
		s, err := pl.p.Snapshot()
		pl.must(err)
		pl.snapshots[s] = pl.now
		return
	}
	for s := range pl.snapshots {
		s.Close()
		delete(pl.snapshots, s)
		return
	}
}

type scanFn func(space byte, prefix []byte, fn func(key, value []byte) error) error

func compareKeys(t *testing.T, scan scanFn, v *version) {
	t.Helper()
	got := map[string]string{}
	err := scan(0x40, nil, func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	})
	if err != nil || !maps.Equal(got, v.keys) {
		t.Fatalf("version %d: %d keys, the model has %d (%v)", v.n, len(got), len(v.keys), err)
	}
}

// compareGets looks every key of the test up.
func compareGets(t *testing.T, p *Partition, v *version) {
	t.Helper()
	var buf []byte
	for i := range keyCount {
		key := fmt.Sprint("k", i)
		value, ok, err := p.Get(0x40, []byte(key), buf)
		if want, exists := v.keys[key]; string(value) != want || ok != exists || err != nil {
			t.Fatalf("version %d: get %s: %.20q, %v, %v; the model has %.20q, %v", v.n, key, value, ok, err, want, exists)
		}
		buf = value
	}
}

// check compares everything that the partition can tell with the model.
func (pl *player) check() {
	pl.t.Helper()
	comparePartition(pl.t, pl.p, pl.now)
	seqs, err := pl.p.Checkpoints()
	pl.must(err)
	if pl.versions%16 == 0 {
		compareBoundaries(pl.t, pl.p, pl.now)
	}
	if !slices.EqualFunc(seqs, pl.marks, func(s int64, m mark) bool { return s == m.Seq }) {
		pl.t.Fatalf("checkpoints %v, the model has %v", seqs, pl.marks)
	}
}

// comparePartition holds a partition to a version. Entries above what may be gone must be there; deleting them is lazy.
func comparePartition(t *testing.T, p *Partition, v *version) {
	t.Helper()
	if p.Last() != v.last || p.NodesSeq() != v.nodes {
		t.Fatalf("version %d: last %+v, nodes %d; the model has %+v, %d", v.n, p.Last(), p.NodesSeq(), v.last, v.nodes)
	}
	compareKeys(t, p.Scan, v)
	compareGets(t, p, v)
	if p.deleted > v.gone {
		t.Fatalf("version %d: entries up to %d are deleted, of which those above %d are not published or have unwritten nodes (X2)", v.n, p.deleted, v.gone)
	}
	above := p.deleted
	want := slices.DeleteFunc(slices.Clone(v.entries), func(e modelEntry) bool { return e.seq <= above })
	if len(want) > 0 {
		above = want[0].prev
	}
	var got []modelEntry
	before := above
	err := p.Entries(above, func(at Boundary, entry []byte) error {
		if at.Hash != v.bounds[at.Seq] || at.ClockMS != boundaryOf('a', at.Seq).ClockMS {
			return fmt.Errorf("entry %d comes with boundary %+v", at.Seq, at)
		}
		got = append(got, modelEntry{at.Seq, before, string(entry)})
		before = at.Seq
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("version %d: entries above %d: %v\nthe model has %v (%v)", v.n, above, got, want, err)
	}
}

// compareBoundaries: from v.low on they must be known (X5e), and none that the model does not have.
func compareBoundaries(t *testing.T, p *Partition, v *version) {
	t.Helper()
	for seq := range v.last.Seq + 2 {
		h, ok, err := p.BoundaryHash(seq)
		if err != nil {
			t.Fatal(err)
		}
		want, exists := v.bounds[seq]
		exists = exists || seq == 0
		if (ok && (h != want || !exists)) || (!ok && exists && seq >= v.low) {
			t.Fatalf("version %d: boundary %d: %x, %v; the model has %x, %v, kept from %d", v.n, seq, h, ok, want, exists, v.low)
		}
	}
	if _, ok, _ := p.BoundaryHash(math.MaxInt64); ok {
		t.Fatal("a boundary at the end of all seqs")
	}
}
