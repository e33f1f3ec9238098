"""EC4SRec (Wang et al. 2022): what the trained backbone's explanations call important guides the contrast."""
