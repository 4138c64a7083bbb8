// Package page turns page calls into iterators. Every iterator starts over on
// each range, yields an error once and ends with it, makes no call after a
// break, and ends even when the list changes between its pages.
package page

import (
	"fmt"
	"iter"
)

// ByCursor iterates over pages that name the next one: a token or a marker,
// empty on the last page. A cursor that comes twice would loop and is an error.
func ByCursor[T any](first string, get func(cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		seen := make(map[string]bool)
		for cursor := first; ; {
			items, next, err := get(cursor)
			if err != nil {
				fail(yield, err)
				return
			}
			if !each(yield, items) || next == "" {
				return
			}
			if next == cursor || seen[next] {
				fail(yield, fmt.Errorf("cloudlb: the service sent the page cursor %q twice: the list would never end", next))
				return
			}
			seen[next] = true
			cursor = next
		}
	}
}

// ByOffset iterates over pages that are asked for by the number of items before
// them. It ends with the total, or with an empty page.
func ByOffset[T any](first int64, get func(offset int64) (items []T, total int64, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for offset := first; ; {
			items, total, err := get(offset)
			if err != nil {
				fail(yield, err)
				return
			}
			offset += int64(len(items))
			if !each(yield, items) || len(items) == 0 || offset >= total {
				return
			}
		}
	}
}

// ByNumber iterates over numbered pages of a size. It ends with the total, or
// with an empty page.
func ByNumber[T any](first, size int64, get func(number int64) (items []T, total int64, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for number := max(first, 1); ; number++ {
			items, total, err := get(number)
			if err != nil {
				fail(yield, err)
				return
			}
			if !each(yield, items) || len(items) == 0 || number*size >= total {
				return
			}
		}
	}
}

func each[T any](yield func(T, error) bool, items []T) bool {
	for _, item := range items {
		if !yield(item, nil) {
			return false
		}
	}
	return true
}

func fail[T any](yield func(T, error) bool, err error) {
	var zero T
	yield(zero, err)
}
