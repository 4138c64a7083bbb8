package transport

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	mostErrorBytes = 64 << 10
	mostReplyBytes = 32 << 20
	mostAnnounced  = 1 << 20 // that is believed before the bytes are there
)

// answer is a buffer that answers are read into. Nothing that outlives the
// reading of an answer may point into it: decoders and errors copy.
type answer struct{ b []byte }

var answerPool = sync.Pool{New: func() any { return &answer{make([]byte, 0, 4096)} }}

func (a *answer) release() {
	if cap(a.b) <= mostPooled {
		answerPool.Put(a)
	}
}

// readReply reads a successful reply. It fails on one larger than the bound:
// half a list must not pass for the list.
func (a *answer) readReply(resp *http.Response) error {
	if resp.ContentLength > mostReplyBytes {
		return fmt.Errorf("the reply has %d bytes, more than %d", resp.ContentLength, mostReplyBytes)
	}
	if err := a.read(resp, mostReplyBytes+1); err != nil {
		return err
	}
	if len(a.b) > mostReplyBytes {
		return fmt.Errorf("the reply has more than %d bytes", mostReplyBytes)
	}
	return nil
}

// readError reads the first part of an error reply. The status says that it is
// an error, whatever else could be read; cut reports that not all of it could.
func (a *answer) readError(resp *http.Response) (cut bool) {
	return a.read(resp, mostErrorBytes) != nil
}

func (a *answer) read(resp *http.Response, most int) error {
	b := a.b[:0]
	if n := resp.ContentLength; n > 0 { // and room for the read that finds the end
		b = slices.Grow(b, int(min(n+1, int64(most), mostAnnounced)))
	}
	for len(b) < most {
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
		n, err := resp.Body.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		a.b = b
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isMarkup reports a content type that no service answers with: a proxy's or a
// login page's.
func isMarkup(h http.Header) bool {
	t := h.Get("Content-Type")
	return strings.Contains(t, "html") || strings.Contains(t, "xml")
}
