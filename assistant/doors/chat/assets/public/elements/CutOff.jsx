// Stands where an answer would: the server went away while it was written.
const words = window.dateline.words

export default function CutOff() {
  return (
    <div className="dl-answer dl-missing">
      <p>{words.cutOff}</p>
      <div className="dl-actions">
        <button
          type="button"
          className="dl-follow-up"
          onClick={() => callAction({ name: "ask_again", payload: { id: props.question } })}
        >
          {words.askAgain}
        </button>
      </div>
    </div>
  )
}
