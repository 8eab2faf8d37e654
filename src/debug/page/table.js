// Tables that keep their rows from one update to the next.
//
// A column is { name, head, title, isNumber, cell(row) }. A cell is a text, or { text, mark, tone,
// title }: the mark says by its shape what the tone says by colour.

import { element, keep, setAttributes, setText } from './dom.js';
import { UNKNOWN } from './format.js';

function createHead(columns) {
  const cells = columns.map((column) => {
    const cell = element('th', {
      scope: 'col',
      role: 'columnheader',
      title: column.title,
      class: column.isNumber ? 'number' : null,
      'data-name': column.name,
    });
    setText(cell, column.head);
    return cell;
  });
  return element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...cells));
}

function createRow(columns) {
  const cells = columns.map((column, i) => element(
    i === 0 ? 'th' : 'td',
    {
      scope: i === 0 ? 'row' : null,
      role: i === 0 ? 'rowheader' : 'cell',
      class: column.isNumber ? 'number' : null,
      'data-name': column.name,
      'data-label': column.head,
    },
    element('span', { class: 'mark', 'aria-hidden': 'true' }),
    element('span'),
  ));
  return element('tr', { role: 'row' }, ...cells);
}

function updateCell(cell, content) {
  const { text, mark = '', tone = null, title = null } = typeof content === 'string'
    ? { text: content } : content;
  setText(cell.firstChild, mark ? `${mark} ` : '');
  setText(cell.lastChild, text);
  setAttributes(cell, { 'data-tone': tone, 'data-is-unknown': text === UNKNOWN, title });
}

// `rowAttributes(row)` are those of the row's element.
export function createTable(table, columns, keyOf, rowAttributes = () => ({})) {
  const body = element('tbody', { role: 'rowgroup' });
  table.append(createHead(columns), body);
  return function update(rows) {
    keep(body, rows, keyOf, () => createRow(columns), (node, row) => {
      setAttributes(node, rowAttributes(row));
      columns.forEach((column, i) => updateCell(node.children[i], column.cell(row)));
    });
  };
}
