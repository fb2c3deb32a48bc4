package shop

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// fill sets a row's fields. Its error, as a *failure, says which ones cannot be set.
type fill func(record) error

func (s *Shop) create(ctx context.Context, m *model, set fill) (record, error) {
	row := m.new()
	if err := set(row); err != nil {
		return nil, err
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := checkReferences(tx, row); err != nil {
			return err
		}
		if err := tx.Create(row).Error; err != nil {
			return fmt.Errorf("shop: create one of the %s: %w", m.name, err)
		}
		return nil
	})
	return row, err
}

// change lets set see the row as it is, and saves what set makes of it. The row is locked meanwhile, so that of two
// changes of different fields neither is lost.
func (s *Shop) change(ctx context.Context, m *model, id int64, set fill) (record, error) {
	row := m.blank()
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := lock(tx, m, row, id); err != nil {
			return err
		}
		if err := set(row); err != nil {
			return err
		}
		if err := checkReferences(tx, row); err != nil {
			return err
		}
		// SQLite keeps more of a time than a row shows: written back, created_at would look changed.
		if err := tx.Omit("created_at").Save(row).Error; err != nil {
			return fmt.Errorf("shop: change one of the %s: %w", m.name, err)
		}
		return nil
	})
	return row, err
}

// remove deletes a row. Rows that refer to it lose their reference first, by saves of their own and not by the database
// behind gorm's back: they change too.
func (s *Shop) remove(ctx context.Context, m *model, id int64) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row := m.blank()
		if err := lock(tx, m, row, id); err != nil {
			return err
		}
		for _, r := range m.referrers() {
			err := tx.Model(r.model.blank()).Where(map[string]any{r.column: id}).Update(r.column, nil).Error
			if err != nil {
				return fmt.Errorf("shop: clear %s of %s: %w", r.column, r.model.name, err)
			}
		}
		if err := tx.Delete(row).Error; err != nil {
			return fmt.Errorf("shop: delete one of the %s: %w", m.name, err)
		}
		return nil
	})
}

func lock(tx *gorm.DB, m *model, row record, id int64) error {
	return read(tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}), m, row, id)
}

func read(query *gorm.DB, m *model, row record, id int64) error {
	err := query.Take(row, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return noSuchRow(m)
	}
	if err != nil {
		return fmt.Errorf("shop: read one of the %s: %w", m.name, err)
	}
	return nil
}

// checkReferences names the references to rows that are not there. Those that are there stay until the transaction ends.
func checkReferences(tx *gorm.DB, row record) error {
	wrong := map[string]string{}
	for _, in := range row.inputs() {
		to, ok := in.value.(reference)
		if !ok || *to.target == nil {
			continue
		}
		err := read(tx.Clauses(clause.Locking{Strength: "KEY SHARE"}), modelNamed(to.model), modelNamed(to.model).blank(), **to.target)
		var missing *failure
		switch {
		case errors.As(err, &missing):
			wrong[in.name] = fmt.Sprintf("there is no such row in %s", to.model)
		case err != nil:
			return err
		}
	}
	return invalid(wrong)
}

func (s *Shop) get(ctx context.Context, m *model, id int64) (record, error) {
	row := m.blank()
	if err := read(s.db.WithContext(ctx), m, row, id); err != nil {
		return nil, err
	}
	return row, nil
}

// page is a part of a list, newest first. It begins below the key before, or with the newest row when that is 0.
type page struct {
	before int64
	limit  int
}

// list gives the page's rows and whether older ones follow.
func (s *Shop) list(ctx context.Context, m *model, p page) (rows []record, more bool, err error) {
	query := s.db.WithContext(ctx).Order("id DESC").Limit(p.limit + 1)
	if p.before > 0 {
		query = query.Where("id < ?", p.before)
	}
	rows, err = m.find(query)
	if len(rows) > p.limit {
		return rows[:p.limit], true, err
	}
	return rows, false, err
}

func (s *Shop) count(ctx context.Context, m *model) (n int64, err error) {
	if err := s.db.WithContext(ctx).Model(m.blank()).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("shop: count %s: %w", m.name, err)
	}
	return n, nil
}
