package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// letter is what is kept of one dead letter on invite.dead.
type letter struct {
	origin  int64 // offset on invite.events
	at      int64 // offset on invite.dead
	in      int32 // partition of invite.dead
	reason  schemas.Reason
	key     int    // bytes of the key that it carries
	digests bool   // the value was too big: sum is of its SHA-256
	sum     uint64 // of key and value
}

// tells says whether the letter carries the record's key and value, or their digest.
func (l *letter) tells(r *topiclog.Record) bool {
	if l.digests {
		sum := sha256.Sum256(r.Value)
		return l.sum == contentSum(r.Key[:min(len(r.Key), l.key)], sum[:])
	}
	return l.sum == contentSum(r.Key, r.Value)
}

func (l *letter) early(v *run) bool { return l.at < v.early[schemas.TopicInviteDead][l.in] }

func contentSum(key, value []byte) uint64 {
	var k [8]byte
	binary.LittleEndian.PutUint64(k[:], xxh3.Hash(key))
	return xxh3.HashSeed(value, binary.LittleEndian.Uint64(k[:]))
}

// readInviteDead reads all of invite.dead and sorts it by what it names. Letters are few beside
// events, and a key may put one into another partition than its origin's.
func (v *run) readInviteDead(ctx context.Context) error {
	v.letters = make([][]letter, v.n)
	const t = schemas.TopicInviteDead
	for in := range v.n {
		err := v.each(ctx, t, in, 0, v.late[t][in], func(r *topiclog.Record) {
			v.dead++
			v.inviteDead(r, in)
		})
		if err != nil {
			return err
		}
	}
	for _, letters := range v.letters {
		slices.SortFunc(letters, func(a, b letter) int {
			return cmp.Or(cmp.Compare(a.origin, b.origin), cmp.Compare(a.at, b.at))
		})
	}
	return nil
}

func (v *run) inviteDead(r *topiclog.Record, in int32) {
	var d pb.DeadLetter
	if err := proto.Unmarshal(r.Value, &d); err != nil {
		v.badAt(CheckInputs, r, in, "the record at offset %d of invite.dead is no dead letter: %v", r.Offset, err)
		return
	}
	if d.OriginTopic != schemas.TopicEvents.String() || d.OriginPartition < 0 || d.OriginPartition >= v.n {
		v.badAt(CheckInputs, r, in, "the dead letter at offset %d of invite.dead names %s/%d as its origin", r.Offset, d.OriginTopic, d.OriginPartition)
		return
	}
	l := letter{origin: d.OriginOffset, at: r.Offset, in: in, reason: d.Reason, key: len(d.Key)}
	value := d.Value
	if len(value) == 0 && d.ValueBytes > 0 {
		l.digests, value = true, d.ValueSha256
	}
	l.sum = contentSum(d.Key, value)
	v.letters[d.OriginPartition] = append(v.letters[d.OriginPartition], l)
}

// letter takes the dead letter about an event, nil if there is none. Letters passed over name
// events that have a verdict or do not exist; a second one about the same event is a double.
func (p *partition) letter(offset int64) *letter {
	for len(p.letters) > 0 && p.letters[0].origin < offset {
		l := &p.letters[0]
		p.letters = p.letters[1:]
		if l.origin >= p.v.starts[schemas.TopicEvents][p.id] {
			p.stray(l, "names offset %d of invite.events, which holds no record or has been answered already", l.origin)
		}
	}
	if len(p.letters) == 0 || p.letters[0].origin != offset {
		return nil
	}
	l := &p.letters[0]
	for p.letters = p.letters[1:]; len(p.letters) > 0 && p.letters[0].origin == offset; p.letters = p.letters[1:] {
		p.stray(&p.letters[0], "is the second one about offset %d of invite.events", offset)
	}
	return l
}

func (p *partition) stray(l *letter, format string, args ...any) {
	p.v.broken.add(Broken{CheckInputs, p.id, 0, l.at, fmt.Sprintf("the dead letter at offset %d of invite.dead ", l.at) + fmt.Sprintf(format, args...)})
}
