"""Pictures of what is recorded: posters, a live preview, storyboards; never at the recording's cost."""
