using System.Collections.Immutable;
using OT.Backends;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.IO;

/// <summary>Keeps the state of an interrupted <see cref="Sinkhorn"/> run in a .npz file: <c>f, g, iterations, problem, epsilon, relaxation, single, errors, version</c>.</summary>
public static class Checkpoint
{
    /// <summary>The version written; a file of a later one is refused.</summary>
    const int Version = 1;

    /// <summary>Writes a state. The file is replaced as a whole, so that a crash leaves the old one or the new one. O(n + m) bytes.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, SinkhornState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Potentials potentials = state.Potentials;
        AtomicFile.Write(
            path,
            stream =>
                NpzFile.Write(
                    stream,
                    ("version", new NpyArray([(long)Version])),
                    ("f", new NpyArray(potentials.F.ToArray(), potentials.F.Length)),
                    ("g", new NpyArray(potentials.G.ToArray(), potentials.G.Length)),
                    ("iterations", new NpyArray([(long)state.Iterations])),
                    ("problem", new NpyArray([unchecked((long)state.Problem)])),
                    ("epsilon", new NpyArray([state.Epsilon])),
                    ("relaxation", new NpyArray([state.Relaxation])),
                    ("single", new NpyArray([(long)state.Precision])),
                    ("errors", new NpyArray([.. state.Errors], state.Errors.Length))
                )
        );
    }

    /// <summary>Reads a state, to be handed to <see cref="Sinkhorn.Solve(Problems.LinearProblem, SinkhornState, CancellationToken)"/>.</summary>
    /// <exception cref="InvalidDataException">The file is not a checkpoint, is damaged, or was written by a later version.</exception>
    public static SinkhornState Read(string path)
    {
        IReadOnlyDictionary<string, NpyArray> arrays = NpzFile.ReadAll(path);
        PlanFile.CheckVersion(arrays, Version, path);
        return new SinkhornState(
            PlanFile.Potentials(arrays, path) ?? throw new InvalidDataException($"{path}: has no members 'f' and 'g'."),
            int.CreateSaturating(PlanFile.Number(arrays, "iterations", path)),
            PlanFile.Number(arrays, "epsilon", path),
            PlanFile.Number(arrays, "relaxation", path),
            ImmutableArray.Create(PlanFile.Required(arrays, "errors", path).ToDoubles()),
            PrecisionOf(PlanFile.Number(arrays, "single", path), path)
        )
        {
            // Older files have none.
            Problem =
                arrays.TryGetValue("problem", out NpyArray? problem) && problem.Integers is [var number]
                    ? unchecked((ulong)number)
                    : 0,
        };
    }

    /// <summary>0 for doubles, 1 for floats, 2 for floats with tensor cores.</summary>
    static Precision PrecisionOf(double number, string path) =>
        number switch
        {
            0 => Precision.Float64,
            1 => Precision.Float32,
            2 => Precision.TensorFloat32,
            _ => throw new InvalidDataException($"{path}: member 'single' is {number:R}, which stands for no precision."),
        };
}
