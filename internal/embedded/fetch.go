package embedded

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchBytesMin is more than any reader of this program asks for at once, and less than the 100 MiB that a client takes.
const fetchBytesMin = 90 << 20

// GuardFetches raises the size that a fetch may have in all, where kfake goes wrong: when an answer is full, it leaves out which
// transactions of the last partition in it were aborted, and a read_committed reader takes their records for committed. What each
// partition may bring stays as it was asked for, and there kfake stops rightly.
func GuardFetches(kafka *kfake.Cluster) {
	kafka.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if req, ok := r.(*kmsg.FetchRequest); ok {
			req.MaxBytes = max(req.MaxBytes, fetchBytesMin)
		}
		return nil, nil, false //nolint:nilnil // how kfake is told that the cluster answers
	})
}
