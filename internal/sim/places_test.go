//go:build synctests

package sim

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	pb "hongbao/schemas/invitepb"
)

const (
	hourMS  = 3600 * 1000
	placeMS = 25 * hourMS // so long Redis remembers a share
)

// place is where an accepted share stands in Redis: the hour of its user, and there eight bytes that name the event.
type place struct {
	p      int
	seq    int64
	key    string
	event  string
	timeMS int64
}

func placeOf(p int, seq int64, a *pb.Accepted) place {
	key := append([]byte("{sim}:s:"), byte(uint64(a.User)*0x9e3779b97f4a7c15>>56)%16)
	key = binary.AppendUvarint(key, uint64(a.Input.EventTimeMs/hourMS))
	var b []byte
	b = binary.BigEndian.AppendUint64(b, uint64(a.Campaign))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Chain))
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Input.CeSource)))
	sum := xxh3.HashString128(string(b) + a.Input.CeSource + a.Input.CeId).Bytes()
	return place{p: p, seq: seq, key: string(binary.BigEndian.AppendUint64(key, uint64(a.User))), event: string(sum[:8]), timeMS: a.Input.EventTimeMs}
}

// checkPlaces is I9 for the share limit: each share that was accepted lately has its place, and where nobody moved none but those have one. A
// bucket has 12 bytes for each: the event, and who asked last.
func (s *sim) checkPlaces(redis map[string]string, accepted []place) {
	taken := map[string]int{}
	for key, bucket := range redis {
		for strings.HasPrefix(key, "{sim}:s:") && len(bucket) >= 12 {
			taken[key+bucket[:8]]++
			bucket = bucket[12:]
		}
	}
	for _, a := range accepted {
		n := taken[a.key+a.event]
		delete(taken, a.key+a.event)
		if n != 1 && a.timeMS > time.Now().UnixMilli()-placeMS {
			s.fail("I9", "facts[%d] seq %d accept a share, which has %d places in Redis", a.p, a.seq, n)
		}
	}
	if !s.undisturbed() {
		return
	}
	for k := range taken {
		s.fail("I9", "Redis holds the place %x of a share, which no fact accepted", k)
	}
}
