using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>The answers to a <see cref="ProblemBatch"/>: one entry per problem, potentials one problem after another. Plans are made on demand.</summary>
public sealed class SinkhornBatchResult
{
    internal readonly SolverStatus[] Status;
    internal readonly int[] Iteration;
    internal readonly double[] Epsilon;
    internal readonly double[] Error;
    internal readonly double[] Cost;
    internal readonly double[] Entropy;
    internal readonly double[] PenaltyA;
    internal readonly double[] PenaltyB;
    internal readonly double[] F;
    internal readonly double[] G;

    /// <summary>Answers of the large engine, whole; null where the small engine answered.</summary>
    internal readonly TransportResult?[] Whole;

    /// <summary>What ran, where it was not the small engine alone.</summary>
    internal string? Backend;

    internal SinkhornBatchResult(ProblemBatch batch)
    {
        int count = batch.Count;
        Batch = batch;
        Status = new SolverStatus[count];
        Iteration = new int[count];
        (Epsilon, Error, Cost, Entropy) = (new double[count], new double[count], new double[count], new double[count]);
        (PenaltyA, PenaltyB) = (new double[count], new double[count]);
        (F, G) = (new double[batch.OffsetsA[^1]], new double[batch.OffsetsB[^1]]);
        Whole = new TransportResult?[count];
    }

    /// <summary>The problems.</summary>
    public ProblemBatch Batch { get; }

    /// <summary>Number of problems, K.</summary>
    public int Count => Batch.Count;

    /// <summary>Why each solve ended.</summary>
    public ReadOnlySpan<SolverStatus> Statuses => Status;

    /// <summary>Iterations of each solve.</summary>
    public ReadOnlySpan<int> Iterations => Iteration;

    /// <summary>The absolute ε of each problem, in cost units.</summary>
    public ReadOnlySpan<double> Epsilons => Epsilon;

    /// <summary>L1 error of both marginals of each problem, as <see cref="TransportResult.MarginalError"/>.</summary>
    public ReadOnlySpan<double> MarginalErrors => Error;

    /// <summary><c>⟨C, P⟩</c> of each problem.</summary>
    public ReadOnlySpan<double> TransportCosts => Cost;

    /// <summary>The objective of each problem, as <see cref="TransportResult.Value"/>: a new array of K numbers.</summary>
    public double[] Values()
    {
        var values = new double[Count];
        for (int k = 0; k < values.Length; k++)
            values[k] = Cost[k] + Entropy[k] + PenaltyA[k] + PenaltyB[k];
        return values;
    }

    /// <summary>Whether every solve converged.</summary>
    public bool Converged => !Status.AsSpan().ContainsAnyExcept(SolverStatus.Converged);

    /// <summary>f of one problem, n_k numbers in cost units; zeros where it is infeasible.</summary>
    public ReadOnlySpan<double> SourcePotential(int problem)
    {
        Guard.Index(problem, Count);
        return F.AsSpan(Batch.OffsetsA[problem], Batch.Rows(problem));
    }

    /// <summary>g of one problem, m_k numbers in cost units; zeros where it is infeasible.</summary>
    public ReadOnlySpan<double> TargetPotential(int problem)
    {
        Guard.Index(problem, Count);
        return G.AsSpan(Batch.OffsetsB[problem], Batch.Columns(problem));
    }

    /// <summary>The potentials of all problems, one problem after another, as the batch has its weights; copied.</summary>
    public Potentials AllPotentials() => new(F, G);

    /// <summary>One answer in the form that <see cref="Sinkhorn"/> gives, with its plan, its message, and <see cref="TransportResult.Certify"/>; made on demand. It holds no history of errors where the small engine answered.</summary>
    public TransportResult this[int problem]
    {
        get
        {
            Guard.Index(problem, Count);
            if (Whole[problem] is { } whole)
                return whole;
            LinearProblem own = Batch[problem];
            double scale = SmallProblem.ScaleOf(own.IsBalanced, own.A.Mass, own.B.Mass);
            var answer = new SmallAnswer(
                Iteration[problem],
                Cost[problem],
                Entropy[problem],
                PenaltyA[problem],
                PenaltyB[problem],
                Error[problem]
            );
            return Sinkhorn.ResultOf(
                own,
                Epsilon[problem],
                SourcePotential(problem),
                TargetPotential(problem),
                answer,
                Status[problem],
                scale,
                [],
                Backend
            );
        }
    }

    /// <summary>Takes an answer of the large engine over.</summary>
    internal void Take(int problem, TransportResult whole)
    {
        Whole[problem] = whole;
        Status[problem] = whole.Status;
        Epsilon[problem] = whole.Epsilon;
        whole.Potentials?.F.CopyTo(F.AsSpan(Batch.OffsetsA[problem]));
        whole.Potentials?.G.CopyTo(G.AsSpan(Batch.OffsetsB[problem]));
        Take(
            problem,
            new SmallAnswer(
                whole.Iterations,
                whole.TransportCost,
                whole.RegularizerValue,
                whole.PenaltyValueA,
                whole.PenaltyValueB,
                whole.MarginalError
            )
        );
    }

    internal void Take(int problem, in SmallAnswer answer)
    {
        Iteration[problem] = answer.Iterations;
        Cost[problem] = answer.TransportCost;
        Entropy[problem] = answer.Entropy;
        (PenaltyA[problem], PenaltyB[problem]) = (answer.PenaltyA, answer.PenaltyB);
        Error[problem] = answer.Error;
    }
}
