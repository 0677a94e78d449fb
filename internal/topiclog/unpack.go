package topiclog

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BatchBytesMax bounds a batch, unpacked (X9): no client's default makes a larger one, and one of 4 MiB may unpack to gigabytes.
const BatchBytesMax = 16 * mib

// unpacker is the client's decompressor, which keeps the bound; kgo offers no other way to make one that does.
func unpacker(kc *kgo.Client) kgo.Decompressor {
	d, ok := kc.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		panic("topiclog: the Kafka client has no decompressor")
	}
	return d
}

// tooLarge says in a sentence which batch was not unpacked, and leaves every other error as it is.
func tooLarge(err error) error {
	large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err)
	if !ok {
		return err
	}
	return fmt.Errorf("rule X9: expected every batch of %s/%d to unpack to %d bytes at most, found a larger one at offsets %d to %d: "+
		"its records cannot be read, find its producer, which no client's default makes: %w",
		large.Topic, large.Partition, BatchBytesMax, large.Offset, large.NextOffset-1, kgo.ErrMaxDecompress)
}
