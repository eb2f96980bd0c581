using System.Collections.Immutable;
using OT.Problems;
using OT.Results;

namespace OT.IO;

/// <summary>Keeps a <see cref="TransportResult"/> in a .npz file that NumPy reads as well.</summary>
/// <remarks>
/// Members: <c>version, status, iterations, epsilon, value, transport_cost, regularizer_value, penalty_value_a, penalty_value_b, marginal_error, errors,
/// backend, why, message, a, b</c>, with potentials <c>f, g</c>, and the plan as <c>data, indices, indptr, shape</c> (compressed rows) or <c>plan</c> (dense).
/// An implicit plan is kept by its potentials: <c>plan[i, j] = a[i] b[j] exp((f[i] + g[j] − C[i, j]) / epsilon)</c>. Costs are not kept.
/// </remarks>
public static class ResultFile
{
    /// <summary>The version written; a file of a later one is refused.</summary>
    const int Version = 1;

    /// <summary>Writes a result.</summary>
    /// <param name="path">Created, or replaced as a whole.</param>
    /// <param name="result">Any result.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var members = new List<(string, NpyArray)>
        {
            ("version", new NpyArray([(long)Version])),
            ("status", new NpyArray(result.Status.ToString())),
            ("iterations", new NpyArray([(long)result.Iterations])),
            ("epsilon", new NpyArray([result.Epsilon])),
            ("value", new NpyArray([result.Value])),
            ("transport_cost", new NpyArray([result.TransportCost])),
            ("regularizer_value", new NpyArray([result.RegularizerValue])),
            ("penalty_value_a", new NpyArray([result.PenaltyValueA])),
            ("penalty_value_b", new NpyArray([result.PenaltyValueB])),
            ("marginal_error", new NpyArray([result.MarginalError])),
            ("errors", Vector(result.Errors.AsSpan())),
            ("backend", new NpyArray(result.Backend)),
            ("why", new NpyArray(result.Why)),
            ("message", new NpyArray(result.Message)),
            ("a", Vector(result.Problem.A.Weights)),
            ("b", Vector(result.Problem.B.Weights)),
        };
        if (result.Potentials is { } potentials)
        {
            members.Add(("f", Vector(potentials.F)));
            members.Add(("g", Vector(potentials.G)));
        }
        if (result.Plan is SparsePlan sparse)
            members.AddRange(PlanFile.Of(sparse.Values));
        else if (result.Plan is not PotentialPlan)
            members.Add(("plan", new NpyArray(result.Plan.ToDense())));
        AtomicFile.Write(path, stream => NpzFile.Write(stream, [.. members]));
    }

    /// <summary>Reads a result back.</summary>
    /// <param name="path">A file written by <see cref="Save"/>.</param>
    /// <param name="problem">The problem that was solved; its weights must be those in the file, up to the slack of their mass.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or was written by a later version.</exception>
    /// <exception cref="ArgumentException">The problem has other weights.</exception>
    public static TransportResult Read(string path, LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        IReadOnlyDictionary<string, NpyArray> arrays = NpzFile.ReadAll(path);
        PlanFile.CheckVersion(arrays, Version, path);
        double slack = Math.Max(problem.A.MassSlack, problem.B.MassSlack);
        CheckWeights(PlanFile.Required(arrays, "a", path), problem.A, slack, path, nameof(problem.A));
        CheckWeights(PlanFile.Required(arrays, "b", path), problem.B, slack, path, nameof(problem.B));
        string status = PlanFile.Text(arrays, "status", path);
        Potentials? potentials = PlanFile.Potentials(arrays, path);
        double epsilon = PlanFile.Number(arrays, "epsilon", path);
        TransportPlan plan =
            PlanFile.Read(arrays, path)
            ?? (
                potentials is not null && epsilon > 0
                    ? new PotentialPlan(problem.Geometry, problem.A, problem.B, potentials, epsilon)
                    : throw new InvalidDataException($"{path}: holds neither a plan nor potentials with an epsilon.")
            );
        return new TransportResult
        {
            Problem = problem,
            Plan = plan,
            Potentials = potentials,
            Epsilon = epsilon,
            Status = Enum.TryParse(status, out SolverStatus parsed)
                ? parsed
                : throw new InvalidDataException($"{path}:status: '{status}' is not a status."),
            Iterations = checked((int)PlanFile.Number(arrays, "iterations", path)),
            TransportCost = PlanFile.Number(arrays, "transport_cost", path),
            RegularizerValue = PlanFile.Number(arrays, "regularizer_value", path),
            PenaltyValueA = PlanFile.Number(arrays, "penalty_value_a", path),
            PenaltyValueB = PlanFile.Number(arrays, "penalty_value_b", path),
            MarginalError = PlanFile.Number(arrays, "marginal_error", path),
            Errors = ImmutableArray.Create(PlanFile.Required(arrays, "errors", path).ToDoubles()),
            Backend = PlanFile.Text(arrays, "backend", path),
            Why = PlanFile.Text(arrays, "why", path),
            Message = PlanFile.Text(arrays, "message", path),
        };
    }

    static NpyArray Vector(ReadOnlySpan<double> values) => new(values.ToArray(), values.Length);

    static void CheckWeights(NpyArray kept, Measure measure, double slack, string path, string name)
    {
        // A solver may have scaled b to the mass of a, within the slack.
        double[] weights = kept.ToDoubles();
        bool same = weights.Length == measure.Count;
        for (int i = 0; same && i < weights.Length; i++)
            same = Math.Abs(weights[i] - measure.Weights[i]) <= 2 * slack * measure.Weights[i];
        if (!same)
            throw new ArgumentException($"{path}: the weights {name} in the file are not the problem's.", nameof(measure));
    }
}
