package verify

import (
	hexenc "encoding/hex"
	"fmt"
	"strconv"
)

func sentence(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func hex(b []byte) string { return hexenc.EncodeToString(b) }

// unhex fills dst from lower-case hex digits; the count is of bytes.
func unhex(dst []byte, text string) (int, bool) {
	n, err := hexenc.Decode(dst, []byte(text))
	return n, err == nil && n == len(dst)
}
