// The manifest editor of the lab page: a YAML editor over a <textarea>, which stays the form's field.
import { EditorState, Compartment } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { HighlightStyle, syntaxHighlighting, indentUnit, bracketMatching } from "@codemirror/language";
import { yaml } from "@codemirror/lang-yaml";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.keyword, tags.atom], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
]);

const theme = EditorView.theme({
  "&": { fontSize: "0.875rem", backgroundColor: "var(--surface-code)", color: "var(--text)", height: "100%" },
  ".cm-content": { fontFamily: "var(--font-mono)", caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--surface-code)", color: "var(--text-muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "var(--surface-hover)" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "1px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--selection)" },
});

/**
 * Turns a <textarea> into the editor; the textarea keeps the text, so that the form works either way.
 * Tab indents only after Ctrl-M style release is pressed: Escape then Tab leaves the editor by keyboard.
 * Returns { text, setText, setProblems, focus }.
 */
export function mount(textarea, { label, nonce, onChange }) {
  const tab = new Compartment();
  const view = new EditorView({
    parent: textarea.parentElement,
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        EditorView.cspNonce.of(nonce),
        lineNumbers(), history(), drawSelection(), bracketMatching(), highlightActiveLine(), lintGutter(),
        indentUnit.of("  "), yaml(), syntaxHighlighting(colours), theme,
        tab.of(keymap.of([indentWithTab])),
        keymap.of([
          { key: "Escape", run: (v) => { v.dispatch({ effects: tab.reconfigure([]) }); return false; } },
          ...defaultKeymap, ...historyKeymap,
        ]),
        EditorView.domEventHandlers({
          focus: (_event, v) => { v.dispatch({ effects: tab.reconfigure(keymap.of([indentWithTab])) }); },
        }),
        EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "true" }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) { textarea.value = u.state.doc.toString(); onChange?.(textarea.value); }
        }),
      ],
    }),
  });
  textarea.hidden = true;
  view.scrollDOM.tabIndex = 0; // a long manifest scrolls by keyboard too
  return {
    text: () => view.state.doc.toString(),
    setText(text) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }); },
    setProblems(problems) {
      const diagnostics = problems.filter((p) => p.line >= 1 && p.line <= view.state.doc.lines).map((p) => {
        const line = view.state.doc.line(p.line);
        return { from: line.from, to: line.to, severity: "error", message: p.message };
      });
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
    focus: () => view.focus(),
  };
}
