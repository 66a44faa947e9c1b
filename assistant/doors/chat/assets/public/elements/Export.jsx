// The side panel that hands the conversation out as a file. The file is made by the server and saved
// from the page, so there is no address under which another could fetch it.
import { useEffect, useRef, useState } from "react"

const words = window.dateline.words

const TYPES = { markdown: "text/markdown;charset=utf-8", html: "text/html;charset=utf-8" }

export default function Export() {
  const [said, setSaid] = useState("")
  const panel = useRef(null)
  useEffect(() => {
    if (!window.dateline.back) panel.current.focus({ preventScroll: true })
    window.dateline.back = null
  }, [])
  const made = (format) =>
    callAction({ name: "export_conversation", payload: { format } }).then((result) => result?.response)
  const save = (format) =>
    made(format).then((file) => {
      if (!file) return
      const url = URL.createObjectURL(new Blob([file.content], { type: TYPES[format] }))
      const link = document.createElement("a")
      link.href = url
      link.download = file.name
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 10000)
      setSaid(file.name)
    })
  const copy = () =>
    made("markdown").then((file) => file && navigator.clipboard.writeText(file.content).then(() => setSaid(words.copied)))
  if (!props.turns)
    return <p className="dl-library dl-muted" data-panel="export" ref={panel} tabIndex={-1}>{words.exportEmpty}</p>
  return (
    <div className="dl-library" data-panel="export" ref={panel} tabIndex={-1} role="group" aria-label={words.exportButtonLabel}>
      <p className="dl-muted">{words.exportHint}</p>
      <div className="dl-buttons">
        <button type="button" className="dl-primary" onClick={() => save("markdown")}>{words.markdown}</button>
        <button type="button" className="dl-primary" onClick={() => save("html")}>{words.html}</button>
        <button type="button" className="dl-action" onClick={copy}>{words.copyMarkdown}</button>
      </div>
      <p role="status" className="dl-muted">{said}</p>
    </div>
  )
}
