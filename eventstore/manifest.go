package eventstore

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkManifest reads the manifest of a live directory to its end. Pebble takes a record that it cannot read for the torn end of the file, and
// begins without it: without the tables that it named, whose logs are gone, and with all that newer logs hold. The last step would be there
// then, and keys before it would not; (seq, hash) would not show that (X5e). So a manifest that does not end with a whole record is a
// corruption. A machine that lost power in the middle of a write to the manifest pays with a partition that is folded again from facts.
func checkManifest(fs vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil || !desc.Exists {
		return err
	}
	f, err := fs.Open(desc.ManifestFilename)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	for r := record.NewReader(f, 0); ; {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s does not end with a whole record: %w: %w", desc.ManifestFilename, err, ErrCorrupt)
		}
	}
}
