//go:build synctests

package sim

import (
	"encoding/binary"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// numberTag is a tag that Kafka does not know, which says that a request is the one that an error code was drawn for: what kfake asks of a request
// names no client, and of some kinds (Metadata, FindCoordinator) those of all clients are alike.
const numberTag = 7001

// numbered is a request with a number on it.
func numbered(frame []byte, n int) []byte {
	r := parse(frame)
	if !r.IsFlexible() {
		panic("a request that holds no tags cannot be numbered: " + kmsg.NameForKey(r.Key()))
	}
	tagsOf(r).Set(numberTag, binary.AppendUvarint(nil, uint64(n)))
	out := r.AppendTo(append([]byte(nil), frame[:headerLen(frame)]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// isNumber finds the request with a number.
func isNumber(n int) func(kmsg.Request) bool {
	return func(r kmsg.Request) (is bool) {
		tagsOf(r).Each(func(tag uint32, value []byte) {
			at, _ := binary.Uvarint(value)
			is = is || tag == numberTag && at == uint64(n)
		})
		return is
	}
}

// tagsOf are what every request that may have tags keeps under one name.
func tagsOf(r kmsg.Request) *kmsg.Tags {
	return reflect.ValueOf(r).Elem().FieldByName("UnknownTags").Addr().Interface().(*kmsg.Tags)
}
